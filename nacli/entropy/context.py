"""The order in which a packet's codes are coded, and what each can see of the others.

Indices are coded in groups, by the rank of their place in a period: in the default order every
eighth frame, then the frames after these, and so on, so that eight chains run side by side and
nearly every frame has those before it to look at. A group's frames are coded stage by stage, all
together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS
from nacli.entropy.integer_network import LIMIT
from nacli.types import Floats, Indices, Integers

REACH = 3
"""Indices on either side whose gains and stage counts are inputs."""
PLAIN_INPUTS = 1 + 3 * 2 * REACH
"""Inputs of a frame beside the sums around it: its gain, and three of each frame in reach."""
SUM_SHIFT = 8
"""Sums are kept this much finer than the inputs made of them."""


class Vectors:
    """What the codes stand for: codebook entries [N, size, D] int8 on one scale, `multipliers`."""

    def __init__(self, entries: NDArray[np.int8], multipliers: Integers) -> None:
        """Raises `ValueError` where a sum of vectors would not fit."""
        self.entries, self.multipliers = entries, multipliers.astype(np.int32)
        if (multipliers < 0).any() or 128 * int(multipliers.sum()) >= 1 << 30:
            raise ValueError("the multipliers of the entropy model are out of range")

    def __call__(self, stage: int, codes: Integers) -> Integers:
        """Vectors [M, D] int32 of codes [M]."""
        # Before NumPy 2 an int8 array times an integer scalar stays int8, and overflows.
        return self.entries[stage, codes].astype(np.int32) * self.multipliers[stage]


@dataclass(frozen=True)
class Order:
    """Ranks of the places in a period, and the offsets of the frames that a frame looks at."""

    ranks: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the frame at each offset is coded before the one at a place [P, O]."""
        ranks, places = np.array(self.ranks), np.arange(len(self.ranks))
        around = ranks[(places[:, None] + np.array(self.offsets, dtype=np.intp)) % len(ranks)]
        return around < ranks[:, None]

    def groups(self, frames: int) -> Iterator[Indices]:
        """Indices in coding order, together those that do not wait for each other."""
        ranks = np.array(self.ranks)[np.arange(frames) % len(self.ranks)]
        for rank in sorted(set(self.ranks)):
            yield np.flatnonzero(ranks == rank)

    def sequence(self, counts: Integers) -> tuple[Indices, Indices]:
        """Indices and stages of all codes of a channel with stage counts [F], in coding order."""
        frames, stages = np.nonzero(np.arange(counts.max(initial=0)) < counts[:, None])
        order = np.lexsort((frames, stages, np.array(self.ranks)[frames % len(self.ranks)]))
        return frames[order], stages[order]


class Row:
    """Several channels in one row of frames, none of which can see the next.

    Each starts a period, with frames between that are not `there` [F], for as far as a frame sees.
    """

    def __init__(self, order: Order, lengths: list[int]) -> None:
        period = len(order.ranks)
        reach = max(REACH, *(abs(offset) for offset in order.offsets))
        sizes = [-(-(length + reach) // period) * period for length in lengths]
        ends = np.cumsum([0, *sizes])
        self.parts = [slice(a, a + length) for a, length in zip(ends, lengths, strict=False)]
        self._starts = ends[1:-1]
        self.there: Integers = self.join([np.ones(length, dtype=np.int32) for length in lengths])

    def join(self, channels: list[Integers]) -> Integers:
        """Values of the frames of each channel as those of the row, 0 between."""
        joined = np.zeros(self.parts[-1].stop, dtype=np.int32)
        for part, values in zip(self.parts, channels, strict=True):
            joined[part] = values
        return joined

    def split(self, frames: Indices) -> list[tuple[int, slice]]:
        """The channels that have some of the ascending frames [M], and which of them each has."""
        bounds = [0, *np.searchsorted(frames, self._starts).tolist(), len(frames)]
        return [(i, slice(a, b)) for i, (a, b) in enumerate(pairwise(bounds)) if a < b]


class Context:
    """What is known of one channel of a packet while its codes are coded, as network inputs, all
    integers within +-127."""

    def __init__(
        self,
        vectors: Vectors,
        order: Order,
        gains: Integers,
        counts: Integers,
        there: Integers | None = None,
    ) -> None:
        """Indices of which `there` [F] is 0 instead of 1 are not, and look at nothing."""
        self.vectors, self._counts = vectors, counts
        self._offsets = np.array(order.offsets, dtype=np.intp)
        self._visible = order.known.astype(np.float32)[:, :, None]
        # before the first frame and after the last there is nothing, which is zero
        self._margin = int(np.abs(self._offsets).max(initial=0))
        frames, dim = len(gains), vectors.entries.shape[2]
        self._sums = np.zeros((frames, dim), dtype=np.int32)
        self._inputs = np.zeros((frames + 2 * self._margin, dim), dtype=np.float32)
        self._plain = _plain_inputs(gains, counts, np.ones_like(gains) if there is None else there)

    def frame_inputs(self, frames: Indices) -> Floats:
        """What frames [M] see around them: sums of the frames that are coded before them, in the
        order of the offsets, then gains and stage counts."""
        sums = self._inputs[frames[:, None] + (self._offsets + self._margin)]
        sums *= self._visible[frames % len(self._visible)]
        return np.concatenate([sums.reshape(len(sums), -1), self._plain[frames]], axis=1)

    def own_inputs(self, frames: Indices, stage: int) -> Floats:
        """What frames [M] see of themselves: the sum of their codes so far, and four times the
        stages that are left."""
        left = np.minimum(4 * (self._counts[frames] - stage), LIMIT).astype(np.float32)
        return np.concatenate([self._inputs[frames + self._margin], left[:, None]], axis=1)

    def nothing(self, frames: Indices) -> Integers:
        """The sums [M, D] of no codes."""
        return np.zeros((len(frames), self._sums.shape[1]), dtype=np.int32)

    def add(self, frames: Indices, stage: int, codes: Integers) -> None:
        """Take what the codes [M] of a stage turned out to be."""
        sums = self._sums[frames] + self.vectors(stage, codes)
        self._sums[frames] = sums
        self._inputs[frames + self._margin] = quantize_sums(sums)


def quantize_sums(sums: Integers) -> Integers:
    """Sums of vectors to network inputs."""
    inputs = sums + (1 << (SUM_SHIFT - 1)) >> SUM_SHIFT
    return np.minimum(np.maximum(inputs, -LIMIT), LIMIT)  # np.clip is slow on small arrays


def _plain_inputs(gains: Integers, counts: Integers, there: Integers) -> Floats:
    """Gain, then for each frame in reach whether it is there, its rise in gain, its stages."""
    there = _around(there)
    rise = (_around(gains) - gains[:, None]).clip(-16, 16) * there
    stages = np.minimum(8 * _around(counts), LIMIT)
    level = (2 * gains - GAIN_LEVELS)[:, None]
    return np.concatenate([level, 64 * there, 7 * rise, stages], axis=1, dtype=np.float32)


def _around(values: Integers) -> Integers:
    """Values of the REACH frames before each frame and after it [F, 2 REACH]; 0 outside."""
    frames, padded = len(values), np.pad(values, REACH)
    places = [*range(REACH), *range(REACH + 1, 2 * REACH + 1)]
    return np.stack([padded[place : place + frames] for place in places], axis=1)
