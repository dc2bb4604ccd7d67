"""Bit allocation: the number of quantiser stages of each frame of a packet.

Stage counts follow from the gains, which are decoded first, and from one allocation level per
channel, so they take no further bits. All arithmetic is on integers: encoder and decoder
agree on every machine.
"""

from __future__ import annotations

import numpy as np

from nacli.config import GAIN_LEVELS
from nacli.types import Integers

LEVELS_PER_STAGE = 8
"""An allocation level is an eighth of a stage: between two stage counts, frames alternate."""
DITHER = np.array([0, 4, 2, 6, 1, 5, 3, 7], dtype=np.int32)
"""Offsets that are added to the allocation level, frame by frame, so that frames alternate."""
LEVELS_PER_GAIN_STEP = 2
"""Levels that a frame gets less for each gain step (1.5 dB) below its packet's loudest frame."""
SIDE_OFFSET = -8
"""Level of the side channel relative to the mid channel: one stage less."""
QUIET = 24
"""Gain steps (36 dB) below the loudest frame; within them, every frame gets at least one stage."""


class Allocation:
    """The stage counts of a packet with gains [C, F] at every allocation level.

    A frame gets a quarter of a stage less for each gain step (1.5 dB) under the packet's
    largest gain; silence (gain 0) gets no stage.
    """

    def __init__(self, gains: Integers, stages: int) -> None:
        """`stages` is the largest number of stages of a frame."""
        below = gains.max(initial=0) - gains
        dither = DITHER[np.arange(gains.shape[1]) % len(DITHER)]
        self._offsets = dither - LEVELS_PER_GAIN_STEP * below
        self._least = (below < QUIET).astype(np.int32)
        self._most = np.where(gains > 0, np.int32(stages), np.int32(0))

    def counts(self, levels: tuple[int, ...]) -> Integers:
        """Return the stage counts [C, F] at the levels of the channels."""
        by_channel = np.array(levels, dtype=np.int32)[:, None]
        counts = (by_channel + self._offsets) // LEVELS_PER_STAGE
        least = self._least * (by_channel >= LEVELS_PER_STAGE)
        # np.clip is slow on small arrays
        return np.minimum(np.maximum(counts, least, out=counts), self._most, out=counts)

    def at_level(self, level: int) -> Integers:
        """Return the stage counts [C, F] at the level of a packet; see `packet_levels`."""
        return self.counts(packet_levels(level, len(self._offsets)))


def packet_counts(gains: Integers, levels: tuple[int, ...], stages: int) -> Integers:
    """Return stage counts [C, F] of a packet from its gains [C, F] and its levels by channel."""
    return Allocation(gains, stages).counts(levels)


def packet_levels(level: int, channels: int) -> tuple[int, ...]:
    """Return a level per coded channel; the side of a stereo pair gets less than the mid."""
    if channels == 2:
        return level, max(0, level + SIDE_OFFSET)
    return (level,) * channels


def highest_level(stages: int) -> int:
    """Return the level at which even the quietest frames get every stage; it must fit a byte."""
    return min(255, (stages + 1) * LEVELS_PER_STAGE + LEVELS_PER_GAIN_STEP * GAIN_LEVELS)
