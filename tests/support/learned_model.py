"""A small learned entropy model with random weights, and a plain decoder in NumPy's int64."""

from __future__ import annotations

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS
from nacli.entropy import ChannelCodes, LearnedModel, frequencies
from nacli.entropy.context import SIDE_INPUTS

STAGES, SIZE, DIM = 4, 64, 8
HIDDEN, WIDTH = 24, 12
OFFSETS, RANKS = (-1, -2, 1), (0, 2, 1, 2)
Tensors = dict[str, NDArray[Any]]


def make_tensors(seed: int = 0, stages: int = STAGES, size: int = SIZE, dim: int = DIM) -> Tensors:
    """Random tensors of a model, of a strength at which its predictions differ."""
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> NDArray[np.int8]:
        return random.integers(-99, 100, shape).astype(np.int8)

    def biases(*shape: int) -> NDArray[np.int32]:
        return random.integers(-3000, 3000, shape).astype(np.int32)

    return {
        "gains": frequencies(random.integers(1, 1000, (GAIN_LEVELS + 1, GAIN_LEVELS))),
        "mean_bits": np.full(stages, int(256 * np.log2(size)), dtype=np.uint16),
        "multipliers": random.integers(60, 90, stages).astype(np.uint16),
        "offsets": np.array(OFFSETS, dtype=np.int8),
        "ranks": np.array(RANKS, dtype=np.uint8),
        "shifts": np.array([9, 9, 9, 7], dtype=np.uint8),
        "frame": weights(len(OFFSETS) * dim + SIDE_INPUTS, HIDDEN),
        "frame_bias": biases(len(RANKS), HIDDEN),
        "own": weights(dim + 1, HIDDEN),
        "own_bias": biases(stages, HIDDEN),
        "hidden": weights(HIDDEN, HIDDEN),
        "hidden_bias": biases(stages, HIDDEN),
        "last": weights(HIDDEN, WIDTH),
        "last_bias": biases(stages, WIDTH),
        "outputs": weights(stages, size, WIDTH) // 4,
        "prior": random.integers(-60, 0, (stages, size)).astype(np.int16),
        "exp2": np.rint(2.0 ** (19 - np.arange(320) / 16)).astype(np.uint32),
    }


def make_entries(
    seed: int = 0, stages: int = STAGES, size: int = SIZE, dim: int = DIM
) -> NDArray[np.int8]:
    """Codebook entries to go with them."""
    random = np.random.default_rng([seed, 1])
    return random.integers(-127, 128, (stages, size, dim)).astype(np.int8)


def make_learned(seed: int = 0) -> LearnedModel:
    return LearnedModel(make_tensors(seed), make_entries(seed))


def make_channel(seed: int, frames: int, stages: int = STAGES, size: int = SIZE) -> ChannelCodes:
    """A channel of random gains, counts and codes."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, stages + 1, frames).astype(np.int32)
    codes = random.integers(0, size, (frames, stages)).astype(np.int32)
    codes[np.arange(stages) >= counts[:, None]] = 0
    return ChannelCodes(random.integers(0, GAIN_LEVELS, frames).astype(np.int32), codes, counts)


class PlainDecoder:
    """FORMAT.md's kind 1 code by code: loops and int64, no BLAS, no floats but the coder's own."""

    def __init__(self, tensors: Tensors, entries: NDArray[np.int8]) -> None:
        self.tensors = {name: tensor.astype(np.int64) for name, tensor in tensors.items()}
        self.entries = entries.astype(np.int64)
        self.tables: list[NDArray[np.int64]] = []

    def decode(
        self, payload: bytes, gains: NDArray[np.int32], counts: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """Codes [F, N] of a payload of one channel whose gains and counts are known."""
        words = np.frombuffer(payload + b"\0" * (-len(payload) % 4), dtype="<u4")
        self.coder = constriction.stream.stack.AnsCoder(words.astype(np.uint32))
        for before, gain in zip([GAIN_LEVELS, *gains[:-1]], gains, strict=True):
            assert self._pop(self.tensors["gains"][before]) == gain
        self.gains, self.counts = gains.astype(np.int64), counts.astype(np.int64)
        self.codes = np.zeros((len(gains), len(self.entries)), dtype=np.int64)
        self.tables.clear()
        ranks = self.tensors["ranks"]
        for rank in sorted(set(ranks.tolist())):
            group = [f for f in range(len(gains)) if ranks[f % len(ranks)] == rank]
            for stage in range(self.codes.shape[1]):
                for frame in group:
                    if counts[frame] > stage:
                        table = self._table(frame, stage)
                        self.tables.append(table)
                        self.codes[frame, stage] = self._pop(table)
        return self.codes

    def _pop(self, table: NDArray[np.int64]) -> int:
        shares = (table - 1).astype(np.float64)
        model = constriction.stream.model.Categorical(shares, perfect=False)
        return int(self.coder.decode(model))

    def _sum(self, frame: int, stages: int) -> NDArray[np.int64]:
        total = np.zeros(self.entries.shape[2], dtype=np.int64)
        for stage in range(min(stages, int(self.counts[frame]))):
            vector = self.entries[stage, self.codes[frame, stage]]
            total += vector * self.tensors["multipliers"][stage]
        return np.clip((total + 128) >> 8, -127, 127)

    def _inputs(self, frame: int, stage: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ranks, frames = self.tensors["ranks"], len(self.gains)
        period, found = len(ranks), []
        for offset in self.tensors["offsets"].tolist():
            there = 0 <= frame + offset < frames
            sooner = ranks[(frame + offset) % period] < ranks[frame % period]
            found.append(self._sum(frame + offset, 64) if there and sooner else self._sum(frame, 0))
        reach = [frame + offset for offset in (-3, -2, -1, 1, 2, 3)]
        there = [int(0 <= place < frames) for place in reach]
        safe = [place if ok else frame for place, ok in zip(reach, there, strict=True)]
        rise = [int(np.clip(self.gains[p] - self.gains[frame], -16, 16)) for p in safe]
        stages = [int(min(8 * self.counts[p], 127)) for p in safe]
        plain = [2 * self.gains[frame] - GAIN_LEVELS]
        plain += [64 * ok for ok in there]
        plain += [7 * value * ok for value, ok in zip(rise, there, strict=True)]
        plain += [value * ok for value, ok in zip(stages, there, strict=True)]
        around = np.concatenate([*found, np.array(plain, dtype=np.int64)])
        left = min(4 * (self.counts[frame] - stage), 127)
        return around, np.append(self._sum(frame, stage), left)

    def _table(self, frame: int, stage: int) -> NDArray[np.int64]:
        t, (around, own) = self.tensors, self._inputs(frame, stage)
        shifts = t["shifts"].tolist()

        def activate(sums: NDArray[np.int64], layer: int, low: int) -> NDArray[np.int64]:
            return np.clip((sums + (1 << (shifts[layer] - 1))) >> shifts[layer], low, 127)

        place = frame % len(t["ranks"])
        x = around @ t["frame"] + t["frame_bias"][place] + own @ t["own"] + t["own_bias"][stage]
        x = activate(x, 0, 0)
        x = activate(x @ t["hidden"] + t["hidden_bias"][stage], 1, 0)
        x = activate(x @ t["last"] + t["last_bias"][stage], 2, -127)
        sums = t["outputs"][stage] @ x
        logits = ((sums + (1 << (shifts[3] - 1))) >> shifts[3]) + t["prior"][stage]
        rank = np.minimum(logits.max() - logits, len(t["exp2"]) - 1)
        weights = t["exp2"][rank]
        free = (1 << 24) - len(weights)
        shares = weights * free // weights.sum()
        shares[int(np.argmax(logits))] += free - shares.sum()
        return shares + 1
