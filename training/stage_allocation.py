"""Stage counts of training batches: the same for all frames, or drawn as packets get them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nacli.quantizer.allocation import LEVELS_PER_STAGE, packet_counts

Allocation = Callable[[Tensor], Tensor]
"""Returns the stage counts [B, F] of frames with the gains [B, F]."""


def uniform_allocation(stages: int) -> Allocation:
    """Give every frame the same number of stages."""
    return lambda gains: torch.full_like(gains, stages)


def draw_allocation_level(stages: int, random: np.random.Generator) -> int:
    """Draw an allocation level of a quantiser with `stages` stages.

    Low levels are drawn more often, since low bit rates are used more.
    """
    return int(LEVELS_PER_STAGE * (1 + (stages + 4) * random.random() ** 1.5))


def random_allocation(stages: int, random: np.random.Generator) -> Allocation:
    """Give each clip the stage counts of a packet at a random allocation level.

    The first clip of a batch has all stages, so that every step trains every codebook.
    """

    def allocate(gains: Tensor) -> Tensor:
        rows = gains.cpu().numpy()
        counts = [
            packet_counts(row[None], (draw_allocation_level(stages, random),), stages)
            for row in rows
        ]
        counts[0][:] = stages
        return torch.from_numpy(np.concatenate(counts)).to(gains)

    return allocate
