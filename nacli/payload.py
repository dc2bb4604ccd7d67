"""What the payload of a packet holds: gains, codes and trims, without the sound they stand for."""

from __future__ import annotations

import numpy as np

from nacli.allocate import packet_counts, trim_counts
from nacli.config import ModelConfig
from nacli.entropy import ChannelCodes, EntropyModel
from nacli.format import Packet


def read_codes(packet: Packet, entropy: EntropyModel, config: ModelConfig) -> list[ChannelCodes]:
    """Gains, codes and trims of every channel. `ValueError` for what no encoder writes."""
    reader = entropy.open(packet.payload)
    gains = np.stack([reader.gains(packet.frames) for _ in packet.levels])
    counts = packet_counts(gains, packet.levels, config.stages)
    codes = [reader.codes(*row) for row in zip(gains, counts, strict=True)]
    spans = [trim_counts(row, config) for row in counts]
    trims = [reader.trims(row) for row in spans]
    return [ChannelCodes(*row) for row in zip(gains, codes, counts, trims, spans, strict=True)]
