"""The context of the learned model: in which order codes are coded, and which others each sees.

Frames are coded in groups, by their rank in a repeating period. In the default order every eighth
frame comes first, then the frames after these, and so on: eight chains run side by side, and nearly
every frame has coded neighbours. The frames of a group are coded stage by stage, all together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS
from nacli.entropy.integer_network import LIMIT
from nacli.types import Floats, Indices, Integers

REACH = 3
"""Number of frames on either side whose gains and stage counts are inputs."""
SIDE_INPUTS = 1 + 3 * 2 * REACH
"""Number of inputs of a frame beside the sums of code vectors: its gain, and three inputs of each
frame in reach."""
SUM_SHIFT = 8
"""Bits by which sums of code vectors are finer than the inputs that are made of them."""


class CodeVectors:
    """The vectors of all codes as integers on one scale: codebook entries times multipliers."""

    def __init__(self, entries: NDArray[np.int8], multipliers: Integers) -> None:
        """Set up the vectors.

        Args:
            entries: codebook entries [N, size, D].
            multipliers: scale of each stage [N].

        Raises:
            ValueError: a sum of vectors over all stages might overflow.
        """
        self.entries, self.multipliers = entries, multipliers.astype(np.int32)
        if (multipliers < 0).any() or 128 * int(multipliers.sum()) >= 1 << 30:
            raise ValueError("the multipliers of the entropy model are out of range")

    def __call__(self, stage: int, codes: Integers) -> Integers:
        """Return the vectors [M, D] of the codes [M] of one stage."""
        # Before NumPy 2 an int8 array times an integer scalar stays int8, and overflows.
        return self.entries[stage, codes].astype(np.int32) * self.multipliers[stage]

    def partial_sums(self, codes: Integers, counts: Integers) -> NDArray[np.int8]:
        """Return the sums of the vectors of the first 0, 1, and so on codes of each frame, as
        network inputs [N + 1, F, D], where N is the largest of the stage counts [F]; `codes` are
        [F, N] or more. Sums do not change after a frame's stage count."""
        sums = np.zeros((len(codes), self.entries.shape[2]), dtype=np.int32)
        inputs = np.zeros((1 + int(counts.max(initial=0)), *sums.shape), dtype=np.int8)
        for stage, after in enumerate(inputs[1:]):
            used = np.flatnonzero(counts > stage)
            sums[used] += self(stage, codes[used, stage])
            after[:] = quantize_sums(sums)
        return inputs


@dataclass(frozen=True)
class CodingOrder:
    """The order of frames.

    Attributes:
        ranks: rank of each position in a period [P]; frames of lower ranks are coded first.
        offsets: distances to the neighbours of a frame whose codes are inputs [O].
    """

    ranks: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def coded_before(self) -> NDArray[np.bool_]:
        """Whether the neighbour at each offset is coded before the frame at a position [P, O]."""
        ranks, positions = np.array(self.ranks), np.arange(len(self.ranks))
        neighbours = positions[:, None] + np.array(self.offsets, dtype=np.intp)
        return ranks[neighbours % len(ranks)] < ranks[:, None]

    def groups(self, frames: int) -> Iterator[Indices]:
        """Yield the frames of each rank, which are coded together, in coding order."""
        ranks = np.array(self.ranks)[np.arange(frames) % len(self.ranks)]
        for rank in sorted(set(self.ranks)):
            yield np.flatnonzero(ranks == rank)

    def sequence(self, counts: Integers) -> tuple[Indices, Indices]:
        """Return the frames and the stages of all codes of a channel with stage counts [F], in
        coding order."""
        frames, stages = np.nonzero(np.arange(counts.max(initial=0)) < counts[:, None])
        order = np.lexsort((frames, stages, np.array(self.ranks)[frames % len(self.ranks)]))
        return frames[order], stages[order]


class JoinedChannels:
    """Several channels in one sequence of frames, so that they pass the network together.

    Each channel starts a period. Between channels there are empty frames, as many as a frame can
    see, so that no channel sees another. `present` [F] is 1 for frames of a channel, else 0.
    """

    def __init__(self, order: CodingOrder, lengths: list[int]) -> None:
        """`lengths` are the numbers of frames of the channels."""
        period = len(order.ranks)
        reach = max(REACH, *(abs(offset) for offset in order.offsets))
        sizes = [-(-(length + reach) // period) * period for length in lengths]
        ends = np.cumsum([0, *sizes])
        self.parts = [slice(a, a + length) for a, length in zip(ends, lengths, strict=False)]
        self._starts = ends[1:-1]
        ones = [np.ones(length, dtype=np.int32) for length in lengths]
        self.present: Integers = self.join(ones)

    def join(self, channels: list[Integers]) -> Integers:
        """Join the values of the frames of each channel, with 0 for the frames between."""
        joined = np.zeros(self.parts[-1].stop, dtype=np.int32)
        for part, values in zip(self.parts, channels, strict=True):
            joined[part] = values
        return joined

    def split(self, frames: Indices) -> list[tuple[int, slice]]:
        """Split ascending frames [M] by channel: return the number of each channel that has some of
        them, and the range of these in `frames`."""
        bounds = [0, *np.searchsorted(frames, self._starts).tolist(), len(frames)]
        return [(i, slice(a, b)) for i, (a, b) in enumerate(pairwise(bounds)) if a < b]


class Context:
    """The codes of one channel that are known so far, as network inputs: integers within +-127."""

    def __init__(
        self,
        vectors: CodeVectors,
        order: CodingOrder,
        gains: Integers,
        counts: Integers,
        present: Integers | None = None,
    ) -> None:
        """Start with no codes known.

        Args:
            vectors: vectors of the codes.
            order: coding order, with the offsets of the neighbours.
            gains, counts: gains and stage counts [F].
            present: 1 for frames of a channel, 0 for those between channels [F]; all 1 if None.
        """
        self.vectors, self._counts = vectors, counts
        self._offsets = np.array(order.offsets, dtype=np.intp)
        self._visible = order.coded_before.astype(np.float32)[:, :, None]
        # frames before the first and after the last have zeros as their sums
        self._margin = int(np.abs(self._offsets).max(initial=0))
        frames, dim = len(gains), vectors.entries.shape[2]
        self._sums = np.zeros((frames, dim), dtype=np.int32)
        self._inputs = np.zeros((frames + 2 * self._margin, dim), dtype=np.float32)
        present = np.ones_like(gains) if present is None else present
        self._side_inputs = _side_inputs(gains, counts, present)

    def frame_inputs(self, frames: Indices) -> Floats:
        """Return the inputs [M, O * D + SIDE_INPUTS] that all codes of a frame have in common: the
        sums of the code vectors of its neighbours, 0 for those coded later, then gains and stage
        counts."""
        sums = self._inputs[frames[:, None] + (self._offsets + self._margin)]
        sums *= self._visible[frames % len(self._visible)]
        return np.concatenate([sums.reshape(len(sums), -1), self._side_inputs[frames]], axis=1)

    def own_inputs(self, frames: Indices, stage: int) -> Floats:
        """Return the `own_inputs` [M, D + 1] of the codes of a stage."""
        return own_inputs(self._inputs[frames + self._margin], self._counts[frames] - stage)

    def add(self, frames: Indices, stage: int, codes: Integers) -> None:
        """Add the codes [M] of a stage to the known ones."""
        sums = self._sums[frames] + self.vectors(stage, codes)
        self._sums[frames] = sums
        self._inputs[frames + self._margin] = quantize_sums(sums)

    def add_all(self, sums: NDArray[np.int8]) -> None:
        """Add all codes at once, whose sums as network inputs are the last of
        `CodeVectors.partial_sums` [F, D]; `add` must not follow."""
        self._inputs[self._margin : self._margin + len(sums)] = sums


def own_inputs(sums: Floats | NDArray[np.int8], left: NDArray[Any]) -> Floats:
    """Return the inputs [M, D + 1] of codes that no other codes of their frames have: the sums
    [M, D] of the code vectors of the frame's earlier stages, and the numbers of stages that are
    left [M]."""
    columns = [sums, np.minimum(4 * left, LIMIT)[:, None]]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def quantize_sums(sums: Integers) -> Integers:
    """Round sums of code vectors to network inputs."""
    inputs = sums + (1 << (SUM_SHIFT - 1)) >> SUM_SHIFT
    return np.minimum(np.maximum(inputs, -LIMIT), LIMIT)  # np.clip is slow on small arrays


def _side_inputs(gains: Integers, counts: Integers, present: Integers) -> Floats:
    """Return the gain of each frame, and for each frame in reach whether it is present, the
    difference of its gain, and its stage count [F, SIDE_INPUTS]."""
    frames = len(gains)
    padded = np.zeros((3, frames + 2 * REACH), dtype=np.int32)  # 0 for frames outside
    padded[:, REACH : REACH + frames] = present, gains, counts
    starts = [*range(REACH), *range(REACH + 1, 2 * REACH + 1)]
    present, around, stages = np.stack([padded[:, at : at + frames] for at in starts], axis=2)
    differences = (around - gains[:, None]).clip(-16, 16) * present
    own, stages = (2 * gains - GAIN_LEVELS)[:, None], np.minimum(8 * stages, LIMIT)
    return np.concatenate([own, 64 * present, 7 * differences, stages], axis=1, dtype=np.float32)
