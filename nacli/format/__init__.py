"""The .nac format, version 1, as a stream of bytes; FORMAT.md describes it in the same order.

`records` holds the values and their limits, `wire` the primitives, `header` and `packets` turn the
values to bytes and back, `parser` reads whole files and finds its way after damage, `seek` finds a
packet by its number. What a value cannot hold is a `ValueError`. Payloads and digests are opaque
here, and the standard library is all that is needed.
"""

from __future__ import annotations

from nacli.format.header import VERSION, pack_header
from nacli.format.packets import SeekTable, fixed_bytes, pack_end, pack_packet, packet_cost
from nacli.format.parser import Event, Parser
from nacli.format.records import (
    CODED_RATE,
    DIGEST_BYTES,
    MODEL_BYTES,
    ChannelMode,
    Damage,
    EndRecord,
    EntropyKind,
    Header,
    Packet,
    SampleFormat,
    StreamInfo,
    TableSection,
)
from nacli.format.seek import find_packet

__all__ = [
    "CODED_RATE",
    "DIGEST_BYTES",
    "MODEL_BYTES",
    "VERSION",
    "ChannelMode",
    "Damage",
    "EndRecord",
    "EntropyKind",
    "Event",
    "Header",
    "Packet",
    "Parser",
    "SampleFormat",
    "SeekTable",
    "StreamInfo",
    "TableSection",
    "find_packet",
    "fixed_bytes",
    "pack_end",
    "pack_header",
    "pack_packet",
    "packet_cost",
]
