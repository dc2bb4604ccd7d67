"""Smoothing of quantised trajectories: fewer changes from step to step, for a small error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.types import Integers


def smooth_trajectory(
    values: NDArray[np.integer], reach: int, change_cost: float, step_cost: float, highest: int
) -> Integers:
    """Return the cheapest trajectories near `values`, found by dynamic programming (Viterbi, 1967).

    The cost of a trajectory is its squared error, plus `change_cost` for every change from one time
    step to the next, plus `step_cost` times the size of the change. Of candidates with equal costs
    the lowest is taken. The value 0 stands for silence: silence stays silent, and no other value
    becomes 0.

    Args:
        values: integers 0 to `highest` [T, n]: n independent series of T time steps.
        reach: largest difference between a smoothed value and its original.
        change_cost, step_cost: costs in units of squared quantiser steps.
        highest: largest value that the result may have.

    Returns:
        Smoothed values [T, n].
    """
    offsets = np.arange(-reach, reach + 1)
    candidates = values[..., None] + offsets  # [T, n, K]
    audible = (values[..., None] > 0) & (candidates > 0) & (candidates <= highest)
    allowed = audible | (values[..., None] == 0) & (candidates == 0)
    errors = np.where(allowed, np.square(offsets).astype(np.float64), np.inf)
    cost, predecessors = errors[0], []
    for time in range(1, len(values)):
        change = np.abs(candidates[time, :, None, :] - candidates[time - 1, :, :, None])
        # the order of these additions decides between trajectories that cost nearly the same
        total = cost[:, :, None] + change_cost * (change > 0) + step_cost * change
        predecessors.append(total.argmin(1))
        cost = total.min(1) + errors[time]
    path = [cost.argmin(1)]
    for best in reversed(predecessors):
        path.append(np.take_along_axis(best, path[-1][:, None], 1)[:, 0])
    chosen = np.stack(path[::-1])[..., None]
    return np.take_along_axis(candidates, chosen, 2)[..., 0].astype(np.int32)
