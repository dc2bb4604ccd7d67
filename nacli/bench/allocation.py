"""The bit allocation of a .nac file by frame and quantiser stage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.bench.subject import events
from nacli.checkpoint import Model
from nacli.decoder.payload_reader import read_codes
from nacli.format import Header, Packet, StreamInfo


def allocation(data: bytes, model: Model) -> NDArray[np.float64]:
    """Return the bits of the codes of an undamaged file [F, N], by frame and stage, summed over its
    channels. `model` is the model that the file was encoded with."""
    header, *rest = events(data)
    assert isinstance(header, Header), "the header comes first"
    packets = [event for event in rest if isinstance(event, Packet)]
    parts = [_packet(packet, header.stream, model) for packet in packets]
    return np.concatenate([np.zeros((0, model.codebooks.stages)), *parts])


def _packet(packet: Packet, stream: StreamInfo, model: Model) -> NDArray[np.float64]:
    """Return the bits of the codes of a packet [F, N]."""
    channels = read_codes(packet, stream, model).channels
    return np.sum(model.entropy.packet_bits(channels), axis=0)
