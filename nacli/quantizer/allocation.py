"""Bit allocation: how many quantiser stages each frame of a packet keeps.

The stage counts follow from the gains, which are decoded first, and from one allocation level per
channel, so no further bits say how they vary. All arithmetic is on integers: encoder and decoder
agree on every machine.
"""

from __future__ import annotations

import numpy as np

from nacli.config import GAIN_LEVELS
from nacli.types import Integers

LEVELS_PER_STAGE = 8
"""An allocation level is an eighth of a stage: between two stage counts, frames alternate."""
DITHER = np.array([0, 4, 2, 6, 1, 5, 3, 7], dtype=np.int32)
"""Offsets by frame that make frames alternate."""
LEVELS_PER_GAIN_STEP = 3
"""Levels that a frame loses for each gain step (1.5 dB) below the loudest frame of its packet."""
SIDE_OFFSET = -8
"""Level of the side channel relative to the mid channel: one stage less."""
QUIET = 24
"""Gain steps below the loudest frame from which a frame may get no stage at all."""


def stage_counts(gains: Integers, level: int, stages: int, peak: int) -> Integers:
    """Stage counts [F] for gains [F] of one channel; `peak` is the packet's largest gain.

    A frame loses three eighths of a stage per gain step (1.5 dB) under the peak; silence (gain 0)
    gets no stage.
    """
    below = peak - gains
    dither = DITHER[np.arange(len(gains)) % len(DITHER)]
    counts = (level + dither - LEVELS_PER_GAIN_STEP * below) // LEVELS_PER_STAGE
    least = np.where((below < QUIET) & (level >= LEVELS_PER_STAGE), 1, 0)
    return np.where(gains > 0, np.clip(counts, least, stages), 0).astype(np.int32)


def packet_counts(gains: Integers, levels: tuple[int, ...], stages: int) -> Integers:
    """Stage counts [C, F] of a packet from its gains [C, F] and its levels by channel."""
    peak = int(gains.max(initial=0))
    rows = zip(gains, levels, strict=True)
    return np.stack([stage_counts(row, level, stages, peak) for row, level in rows])


def packet_levels(level: int, channels: int) -> tuple[int, ...]:
    """One level per coded channel; the side of a stereo pair gets less than the mid."""
    if channels == 2:
        return level, max(0, level + SIDE_OFFSET)
    return (level,) * channels


def highest_level(stages: int) -> int:
    """The level at which frames keep every stage, however quiet they are; it must fit a byte."""
    return min(255, (stages + 1) * LEVELS_PER_STAGE + LEVELS_PER_GAIN_STEP * GAIN_LEVELS)
