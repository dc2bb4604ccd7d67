"""Mid/side coding of stereo: the sum and the difference of two channels, and back."""

from __future__ import annotations

import numpy as np

from nacli.types import Floats


def mix(pcm: Floats) -> Floats:
    """Return mid and side [T, 2] of left and right [T, 2]. Equal channels give a silent side."""
    left, right = pcm.T
    return np.stack([(left + right) / 2, (left - right) / 2], axis=1)


def unmix(coded: Floats) -> Floats:
    """Return left and right [T, 2] of mid and side [T, 2]."""
    mid, side = coded.T
    return np.stack([mid + side, mid - side], axis=1)
