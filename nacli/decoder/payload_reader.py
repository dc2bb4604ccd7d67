"""The payloads of packets to angles, gains, codes, corrections and high-band levels, without
synthesis.

Reading codes takes less time for several packets side by side: the entropy model predicts one code
of each at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.dsp.high_band import span_count as high_span_count
from nacli.entropy import ChannelCodes, PacketCodes, PayloadReader
from nacli.envelope.corrections import span_count
from nacli.format import Event, Packet, StreamInfo
from nacli.quantizer.allocation import packet_counts
from nacli.types import Integers

BATCH_FRAMES = 600
"""Frames of all channels that a batch of packets has at least: more would not be faster."""

Codes = PacketCodes | ValueError
"""The codes of a packet, or the error in its payload."""


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Divide events into batches whose packets are to be read side by side."""
    batch: list[Event] = []
    frames = 0
    for event in events:
        batch.append(event)
        if isinstance(event, Packet):
            frames += event.frames * len(event.levels)
            if frames >= BATCH_FRAMES:
                yield batch
                batch, frames = [], 0
    yield batch


def read_codes(packet: Packet, stream: StreamInfo, model: Model) -> PacketCodes:
    """Read the codes of a packet. Raises `ValueError` for a payload that no encoder
    writes."""
    [codes] = read_side_by_side([packet], stream, model)
    if isinstance(codes, ValueError):
        raise codes
    return codes


def read_side_by_side(packets: list[Packet], stream: StreamInfo, model: Model) -> list[Codes]:
    """Read the codes of several packets of one stream; errors are returned, each in the place of
    its packet."""
    high = model.codes_high_band(stream.sample_rate)
    angles = stream.angles(high)
    readings = [_begin(packet, angles, model) for packet in packets]
    good = [reading for reading in readings if isinstance(reading, _Reading)]
    for channel in range(len(good[0].gains) if good else 0):
        rows = model.entropy.pop_codes(
            [reading.reader.coder for reading in good],
            [reading.gains[channel] for reading in good],
            [reading.counts[channel] for reading in good],
        )
        for reading, codes in zip(good, rows, strict=True):
            reading.codes.append(codes)
    config = model.config
    return [_finish(one, config, high) if isinstance(one, _Reading) else one for one in readings]


@dataclass(frozen=True)
class _Reading:
    """A packet of which angles, gains and stage counts [C, F] have been read, and the codes of the
    first channels."""

    reader: PayloadReader
    angles: tuple[int, ...]
    gains: Integers
    counts: Integers
    codes: list[Integers] = field(default_factory=list)


def _begin(packet: Packet, angles: int, model: Model) -> _Reading | ValueError:
    """Read this number of angles, and the gains of a packet, from which its stage counts follow."""
    try:
        reader = model.entropy.open(packet.payload)
        turned = reader.angles(angles)
        gains = np.stack([reader.gains(packet.frames) for _ in packet.levels])
        counts = packet_counts(gains, packet.levels, model.config.stages)
        return _Reading(reader, turned, gains, counts)
    except ValueError as error:
        return error


def _finish(reading: _Reading, config: ModelConfig, high: bool) -> Codes:
    """Read what follows the codes: corrections, and the high band where there is one."""
    reader = reading.reader
    rows = list(zip(reading.gains, reading.codes, reading.counts, strict=True))
    corrections = [reader.corrections(span_count(counts, config)) for _, _, counts in rows]
    levels: list[Integers | None] = [None] * len(rows)
    try:
        if high:
            levels = [reader.high(high_span_count(counts)) for _, _, counts in rows]
    except ValueError as error:
        return error
    channels = [
        ChannelCodes(*row, *codes, own)
        for row, codes, own in zip(rows, corrections, levels, strict=True)
    ]
    return PacketCodes(channels, reading.angles)
