"""What the payload of a packet holds: gains and codes, without the sound that they stand for."""

from __future__ import annotations

import numpy as np

from nacli.allocate import packet_counts
from nacli.entropy import ChannelCodes, EntropyModel
from nacli.format import Packet


def read_codes(packet: Packet, entropy: EntropyModel, stages: int) -> list[ChannelCodes]:
    """Gains and codes of every channel. `ValueError` for a payload that no encoder writes."""
    reader = entropy.open(packet.payload)
    gains = np.stack([reader.gains(packet.frames) for _ in packet.levels])
    counts = packet_counts(gains, packet.levels, stages)
    rows = zip(gains, counts, strict=True)
    return [ChannelCodes(gain, reader.codes(gain, count), count) for gain, count in rows]
