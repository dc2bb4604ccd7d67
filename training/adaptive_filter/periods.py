"""Periods of decoded sound, every half hop."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from nacli.adaptive_filter.inputs import LATE
from nacli.adaptive_filter.sizes import HALF
from nacli.dsp.periods import MARGIN, periods_at
from nacli.types import Doubles, Floats, Indices


def measure_periods(pcm: Floats) -> tuple[Indices, Doubles]:
    """Return the periods of samples [T], at the end of each half hop.

    T is a multiple of HALF; the sound before and after the samples counts as silent.

    Returns:
        Lags [T / HALF, 2] in samples to the best match before (negative) and after each position,
        and strengths [T / HALF, 2] from 0 to 1.
    """
    return periods_at(np.pad(pcm, MARGIN)[HALF:], HALF)


def delay_periods(lags: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return lags and strengths [B, W, 2] of whole clips DELAY hops later, as the filter takes
    them: a stream knows the period of a position only when the sound after it has come."""
    lags, strengths = (F.pad(x[:, :-LATE], (0, 0, LATE, 0)) for x in (lags, strengths))
    return lags, strengths
