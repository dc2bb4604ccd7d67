"""Smoothing of gain indices, so that they change less often than the level of the frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS
from nacli.dsp.trajectory import smooth_trajectory
from nacli.types import Integers

REACH = 2
"""Largest difference, in gain steps, between a smoothed gain and the level of its frame."""
CHANGE_COST, STEP_COST = 6.0, 1.0
"""Cost of a change of the gain, and of each step of the change, in squared gain steps of error.
Gains without smoothing take twice the bits; the codes of the latents can represent the difference.
"""


def smooth_gains(gains: NDArray[Any]) -> Integers:
    """Return smoothed gain indices [F, n] of n channels. Index 0, silence, is not changed."""
    return smooth_trajectory(np.asarray(gains), REACH, CHANGE_COST, STEP_COST, GAIN_LEVELS - 1)
