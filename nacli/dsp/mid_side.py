"""Channel modes: the channels of a recording to the channels that are coded, and back."""

from __future__ import annotations

import numpy as np

from nacli.format import ChannelMode
from nacli.types import Floats


def mode_for(channels: int) -> ChannelMode:
    """The channel mode for a channel count: mono, mid/side for two, else independent."""
    modes = {1: ChannelMode.MONO, 2: ChannelMode.MID_SIDE}
    return modes.get(channels, ChannelMode.INDEPENDENT)


def mix(pcm: Floats, mode: ChannelMode) -> Floats:
    """Samples [T, C] to coded channels [T, C]; equal channels give a silent side."""
    if mode != ChannelMode.MID_SIDE:
        return pcm
    left, right = pcm.T
    return np.stack([(left + right) / 2, (left - right) / 2], axis=1)


def unmix(coded: Floats, mode: ChannelMode) -> Floats:
    """Coded channels [T, C] to samples [T, C]."""
    if mode != ChannelMode.MID_SIDE:
        return coded
    mid, side = coded.T
    return np.stack([mid + side, mid - side], axis=1)
