"""Mid/side coding of stereo: the sum and the difference of two channels, and back."""

from __future__ import annotations

import numpy as np

from nacli.types import Floats


def mix(pcm: Floats) -> Floats:
    """Left and right [T, 2] to mid and side [T, 2]; equal channels give a silent side."""
    left, right = pcm.T
    return np.stack([(left + right) / 2, (left - right) / 2], axis=1)


def unmix(coded: Floats) -> Floats:
    """Mid and side [T, 2] to left and right [T, 2]."""
    mid, side = coded.T
    return np.stack([mid + side, mid - side], axis=1)
