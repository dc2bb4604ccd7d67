"""Periods of decoded sound, every half hop."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from nacli.dsp.pitch_filter import MARGIN, find_periods, low_pass
from nacli.types import Doubles, Floats, Indices

HOP = 320
"""Samples of a hop at 24 kHz, and of a window of the filter."""
HALF = HOP // 2
"""Samples between two windows, and between two positions with periods: 6.7 ms."""
DELAY = 3
"""Hops that the output of the filter is late: a window uses sound up to two periods after it."""


def measure_periods(pcm: Floats) -> tuple[Indices, Doubles]:
    """Return the periods of samples [T], at the end of each half hop.

    T is a multiple of HALF; the sound before and after the samples counts as silent.

    Returns:
        Lags [T / HALF, 2] in samples to the best match before (negative) and after each position,
        and strengths [T / HALF, 2] from 0 to 1.
    """
    low = np.convolve(np.pad(pcm.astype(np.float64), MARGIN), low_pass(), "same")
    positions = MARGIN + HALF * np.arange(1, len(pcm) // HALF + 1)
    (before, strength_before), (after, strength_after) = (
        find_periods(low, positions, side) for side in (-1, 1)
    )
    return np.stack([before, after], 1), np.stack([strength_before, strength_after], 1)


def delay_periods(lags: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return lags and strengths [B, W, 2] of whole clips DELAY hops later, as the filter takes
    them: a stream knows the period of a position only when the sound after it has come."""
    late = 2 * DELAY
    lags, strengths = (F.pad(x[:, :-late], (0, 0, late, 0)) for x in (lags, strengths))
    return lags, strengths
