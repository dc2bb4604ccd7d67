"""Stage counts of training batches: the same for all frames, or drawn as packets get them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nacli.quantizer.allocation import DITHER, LEVELS_PER_GAIN_STEP, LEVELS_PER_STAGE, QUIET

Allocation = Callable[[Tensor], Tensor]
"""Returns the stage counts [B, F] of frames with the gains [B, F]."""
HIGHEST_LEVEL = 255
FULL_SHARE = 16
"""One clip in this number, and at least one, has all stages: every step trains every codebook."""


def uniform_allocation(stages: int) -> Allocation:
    """Give every frame the same number of stages."""
    return lambda gains: torch.full_like(gains, stages)


def draw_allocation_level(stages: int, random: np.random.Generator) -> int:
    """Draw an allocation level of a quantiser with `stages` stages.

    Low levels are drawn more often, since low bit rates are used more.
    """
    return int(LEVELS_PER_STAGE * (1 + (stages + 4) * random.random() ** 1.5))


def random_allocation(stages: int) -> Allocation:
    """Give each clip the stage counts of a packet at a random allocation level.

    The levels are those of `draw_allocation_level`, drawn by torch on the device of the gains.
    """

    def allocate(gains: Tensor) -> Tensor:
        share = torch.rand(len(gains), device=gains.device) ** 1.5
        levels = (LEVELS_PER_STAGE * (1 + (stages + 4) * share)).long()
        levels[: max(1, len(gains) // FULL_SHARE)] = HIGHEST_LEVEL
        return stage_counts(gains, levels, stages)

    return allocate


def stage_counts(gains: Tensor, levels: Tensor, stages: int) -> Tensor:
    """Return the stage counts [B, F] of packets with the gains [B, F] and levels [B], as
    `nacli.quantizer.allocation` does."""
    below = gains.amax(1, keepdim=True) - gains
    level, dither = levels[:, None], _dither(gains)
    steps = level + dither - LEVELS_PER_GAIN_STEP * below
    counts = torch.div(steps, LEVELS_PER_STAGE, rounding_mode="floor")
    least = ((below < QUIET) & (level >= LEVELS_PER_STAGE)).long()
    return torch.maximum(counts, least).clamp_max(stages) * (gains > 0)


def _dither(gains: Tensor) -> Tensor:
    """Return the dither [F] of frames, computed on their device: a CUDA graph copies nothing from
    the CPU. It is the position modulo 8 with its three bits in reverse order."""
    position = torch.arange(gains.shape[1], device=gains.device) % len(DITHER)
    return 4 * (position % 2) + 2 * (position // 2 % 2) + position // 4
