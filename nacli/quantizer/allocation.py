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
LEVELS_PER_GAIN_STEP = 3
"""Levels that a frame gets less for each gain step (1.5 dB) below its packet's loudest frame."""
SIDE_OFFSET = -8
"""Level of the side channel relative to the mid channel: one stage less."""
QUIET = 24
"""Gain steps (36 dB) below the loudest frame; within them, every frame gets at least one stage."""


def stage_counts(gains: Integers, level: int | Integers, stages: int, peak: int) -> Integers:
    """Return stage counts [..., F], at most `stages`, for gains [..., F] at an allocation level, or
    at one for each channel [..., 1]; `peak` is the packet's largest gain.

    A frame gets three eighths of a stage less for each gain step (1.5 dB) under the peak; silence
    (gain 0) gets no stage.
    """
    below = peak - gains
    dither = DITHER[np.arange(gains.shape[-1]) % len(DITHER)]
    counts = (level + dither - LEVELS_PER_GAIN_STEP * below) // LEVELS_PER_STAGE
    least = np.where((below < QUIET) & (level >= LEVELS_PER_STAGE), 1, 0)
    counts = np.minimum(np.maximum(counts, least), stages)  # np.clip is slow on small arrays
    return np.where(gains > 0, counts, 0).astype(np.int32)


def packet_counts(gains: Integers, levels: tuple[int, ...], stages: int) -> Integers:
    """Return stage counts [C, F] of a packet from its gains [C, F] and its levels by channel."""
    by_channel = np.array(levels, dtype=np.int32)[:, None]
    return stage_counts(gains, by_channel, stages, peak=int(gains.max(initial=0)))


def packet_levels(level: int, channels: int) -> tuple[int, ...]:
    """Return a level per coded channel; the side of a stereo pair gets less than the mid."""
    if channels == 2:
        return level, max(0, level + SIDE_OFFSET)
    return (level,) * channels


def highest_level(stages: int) -> int:
    """Return the level at which even the quietest frames get every stage; it must fit a byte."""
    return min(255, (stages + 1) * LEVELS_PER_STAGE + LEVELS_PER_GAIN_STEP * GAIN_LEVELS)
