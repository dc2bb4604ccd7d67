"""What the payload of a packet holds: gains, codes, corrections and levels, without the sound they stand
for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.dsp.high_band import span_count as high_span_count
from nacli.entropy import ChannelCodes, EntropyModel, PayloadReader
from nacli.envelope.corrections import span_count
from nacli.format import Packet, StreamInfo
from nacli.quantizer.allocation import packet_counts
from nacli.types import Integers


def read_codes(packet: Packet, stream: StreamInfo, model: Model) -> list[ChannelCodes]:
    """All that a packet of a stream says of every channel. `ValueError` for what no encoder
    writes."""
    [codes] = read_side_by_side([packet], stream, model)
    if isinstance(codes, ValueError):
        raise codes
    return codes


def read_side_by_side(
    packets: list[Packet], stream: StreamInfo, model: Model
) -> list[list[ChannelCodes] | ValueError]:
    """As `read_codes`, for packets of one stream, which take less time together; the errors are
    given back, each in its packet's place."""
    entropy, config = model.entropy, model.config
    readings = [_begin(packet, entropy, config) for packet in packets]
    good = [reading for reading in readings if isinstance(reading, _Reading)]
    for channel in range(len(good[0].gains) if good else 0):
        found = entropy.pop_codes(
            [reading.reader.coder for reading in good],
            [reading.gains[channel] for reading in good],
            [reading.counts[channel] for reading in good],
        )
        for reading, codes in zip(good, found, strict=True):
            reading.codes.append(codes)
    high = model.codes_high_band(stream.sample_rate)
    return [_finish(one, config, high) if isinstance(one, _Reading) else one for one in readings]


@dataclass(frozen=True)
class _Reading:
    """A packet whose gains [C, F] are known, and with them the stage counts; not yet its codes."""

    reader: PayloadReader
    gains: Integers
    counts: Integers
    codes: list[Integers] = field(default_factory=list)


def _begin(packet: Packet, entropy: EntropyModel, config: ModelConfig) -> _Reading | ValueError:
    try:
        reader = entropy.open(packet.payload)
        gains = np.stack([reader.gains(packet.frames) for _ in packet.levels])
        return _Reading(reader, gains, packet_counts(gains, packet.levels, config.stages))
    except ValueError as error:
        return error


def _finish(reading: _Reading, config: ModelConfig, high: bool) -> list[ChannelCodes] | ValueError:
    reader = reading.reader
    rows = list(zip(reading.gains, reading.codes, reading.counts, strict=True))
    corrections = [reader.corrections(span_count(counts, config)) for _, _, counts in rows]
    levels: list[Integers | None] = [None] * len(rows)
    try:
        if high:
            levels = [reader.high(high_span_count(counts)) for _, _, counts in rows]
    except ValueError as error:
        return error
    return [
        ChannelCodes(*row, *codes, own)
        for row, codes, own in zip(rows, corrections, levels, strict=True)
    ]
