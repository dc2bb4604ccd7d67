"""Smoothing of gain indices as tensor operations: a CUDA graph cannot go to NumPy and back."""

from __future__ import annotations

import torch
from torch import Tensor

from nacli.config import GAIN_LEVELS
from nacli.networks.gain_smoothing import CHANGE_COST, REACH, STEP_COST


def smooth_gains(gains: Tensor) -> Tensor:
    """Return the same smoothed gain indices [B, F] as `nacli.networks.gain_smoothing` does."""
    offsets = torch.arange(-REACH, REACH + 1, device=gains.device)
    own = gains.unsqueeze(-1)
    candidates = own + offsets  # [B, F, K]
    audible = (own > 0) & (candidates > 0) & (candidates < GAIN_LEVELS)
    allowed = audible | ((own == 0) & (candidates == 0))
    # all costs are whole numbers, so that single precision finds the same minima
    errors = offsets.square().float().expand(candidates.shape).masked_fill(~allowed, torch.inf)
    change = (candidates[:, 1:, None] - candidates[:, :-1, :, None]).abs()  # [B, F - 1, K, K]
    costs = CHANGE_COST * (change > 0) + STEP_COST * change
    cost, predecessors = errors[:, 0], []
    for time in range(costs.shape[1]):
        lowest, best = (cost[:, :, None] + costs[:, time]).min(1)
        predecessors.append(best)
        cost = lowest + errors[:, time + 1]
    path = [cost.argmin(1, keepdim=True)]
    for best in reversed(predecessors):
        path.append(best.gather(1, path[-1]))
    return candidates.gather(2, torch.stack(path[::-1], 1)).squeeze(-1)
