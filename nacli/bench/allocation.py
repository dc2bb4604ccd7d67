"""Where the bits of a .nac file go: per stage and over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.bench.subject import events
from nacli.checkpoint import Model
from nacli.format import Packet
from nacli.payload import read_codes


def allocation(data: bytes, model: Model) -> NDArray[np.float64]:
    """Bits that the codes of a sound file take: [F, N] by frame and stage, channels added up.

    `model` must be the one that made the file, without tables of its own in the file.
    """
    packets = [event for event in events(data) if isinstance(event, Packet)]
    stages = model.codebooks.stages
    return np.concatenate([np.zeros((0, stages)), *(_packet(p, model) for p in packets)])


def _packet(packet: Packet, model: Model) -> NDArray[np.float64]:
    channels = read_codes(packet, model.entropy, model.config)
    return np.sum([model.entropy.code_bits(channel) for channel in channels], axis=0)
