"""The smoothing of trajectories finds the cheapest one, and takes the first of several."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacli.dsp.trajectory import smooth_trajectory

GAINS = (2, 6.0, 1.0, 80)
"""Reach, costs and highest value of the gains of frames."""
HIGH_BAND = (1, 1.0, 0.3, 39)
"""The same of the levels of the high band."""


def candidates(value: int, reach: int, highest: int) -> list[int]:
    """The values that a smoothed value may have."""
    return (
        [0] if value == 0 else list(range(max(1, value - reach), min(highest, value + reach) + 1))
    )


def plain_viterbi(
    values: list[int], reach: int, change_cost: float, step_cost: float, highest: int, kind: type
) -> list[int]:
    """The search in plain loops, with sums of one kind of float."""
    costs = {c: kind((c - values[0]) ** 2) for c in candidates(values[0], reach, highest)}
    predecessors = []
    for value in values[1:]:
        best, after = {}, {}
        for to in candidates(value, reach, highest):
            totals = {
                start: cost + kind(change_cost * (to != start)) + kind(step_cost * abs(to - start))
                for start, cost in costs.items()
            }
            best[to] = min(totals, key=lambda start: (totals[start], start))
            after[to] = totals[best[to]] + kind((to - value) ** 2)
        predecessors.append(best)
        costs = after
    path = [min(costs, key=lambda value: (costs[value], value))]
    for best in reversed(predecessors):
        path.append(best[path[-1]])
    return path[::-1]


def cost(path: tuple[int, ...], values: list[int], change_cost: float, step_cost: float) -> float:
    errors = sum((a - b) ** 2 for a, b in zip(path, values, strict=True))
    changes = [abs(a - b) for a, b in pairwise(path)]
    return errors + sum(change_cost * (change > 0) + step_cost * change for change in changes)


def random_values(seed: int, times: int, series: int, highest: int) -> np.ndarray:
    """Noise, or a random walk with silent parts."""
    random = np.random.default_rng(seed)
    if seed % 2:
        return random.integers(0, highest + 1, (times, series))
    walk = random.integers(0, highest + 1, series) + random.integers(-3, 4, (times, series)).cumsum(
        0
    )
    return np.where(random.random((times, series)) < 0.1, 0, walk.clip(0, highest))


@pytest.mark.parametrize("parameters", [GAINS, HIGH_BAND], ids=["gains", "high band"])
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_the_result_is_that_of_plain_loops(
    parameters: tuple[int, float, float, int], seed: int, times: int, series: int
) -> None:
    values = random_values(seed, times, series, parameters[-1])
    smoothed = smooth_trajectory(values, *parameters)
    assert smoothed.dtype == np.int32 and smoothed.shape == values.shape
    for column, original in zip(smoothed.T.tolist(), values.T.tolist(), strict=True):
        assert column == plain_viterbi(original, *parameters, float)


@given(st.integers(0, 10_000), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_gains_come_out_the_same_in_single_precision(seed: int, times: int) -> None:
    """The costs of gains are integers, so sums in float32 decide alike."""
    values = random_values(seed, times, 2, 80)
    smoothed = smooth_trajectory(values, *GAINS)
    for column, original in zip(smoothed.T.tolist(), values.T.tolist(), strict=True):
        assert column == plain_viterbi(original, *GAINS, np.float32)


@pytest.mark.parametrize("parameters", [GAINS, HIGH_BAND], ids=["gains", "high band"])
@pytest.mark.parametrize("seed", range(8))
def test_no_allowed_trajectory_costs_less(
    parameters: tuple[int, float, float, int], seed: int
) -> None:
    reach, *costs, highest = parameters
    [values] = random_values(seed, 6, 1, 7).T.tolist()
    smoothed = smooth_trajectory(np.array(values)[:, None], *parameters)[:, 0]
    every = product(*(candidates(value, reach, highest) for value in values))
    least = min(cost(path, values, *costs) for path in every)
    assert cost(tuple(smoothed.tolist()), values, *costs) == pytest.approx(least, abs=1e-9)


def test_a_short_deviation_is_smoothed_and_silence_stays() -> None:
    values = np.array([[5, 5, 6, 5, 5, 0, 0, 1, 80, 80]]).T
    smoothed = smooth_trajectory(values, *GAINS)[:, 0]
    assert smoothed.tolist() == [5, 5, 5, 5, 5, 0, 0, 1, 80, 80]
