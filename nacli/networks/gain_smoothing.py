"""Gain indices that change less often than the level of the frames: they take half the bits."""

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
"""Cost of a change of the gain, and of each step of it, in squared gain steps of error. Gains that
follow each frame's level to the step take twice the bits, and the codes can carry the difference.
"""


def smooth_gains(gains: NDArray[Any]) -> Integers:
    """Return smoothed gain indices [F, n] of n channels. Silence (0) stays silence."""
    return smooth_trajectory(np.asarray(gains), REACH, CHANGE_COST, STEP_COST, GAIN_LEVELS - 1)
