"""The .nac format, version 2, as a stream of bytes. FORMAT.md describes it.

`records` defines the values and their limits, `tags` and `picture` the metadata (`image` makes
pictures of image files), `wire` the primitives. `header` and `packets` convert the values to bytes
and back, `parser` reads whole files and continues after damage, `seek` finds a packet by its
number. Values outside their limits raise `ValueError`. Payloads and digests are opaque here, and
only the standard library is needed.
"""

from __future__ import annotations

from nacli.format.header import VERSION, pack_header
from nacli.format.image import image_picture
from nacli.format.packets import SeekTable, fixed_bytes, pack_end, pack_packet, packet_cost
from nacli.format.parser import JOINED, Event, Parser
from nacli.format.picture import (
    FRONT_COVER,
    MAX_PICTURE_BYTES,
    Picture,
    pack_picture,
    unpack_picture,
)
from nacli.format.records import (
    MAX_CHANNELS,
    ChannelMode,
    Damage,
    EndRecord,
    EntropyKind,
    Header,
    Packet,
    SampleFormat,
    StreamInfo,
    TableSection,
    channel_mode,
    short_digest,
)
from nacli.format.seek import find_packet
from nacli.format.tags import MAX_TAGS_BYTES, check_tag, edit_tags, fit_tags

__all__ = [
    "FRONT_COVER",
    "JOINED",
    "MAX_CHANNELS",
    "MAX_PICTURE_BYTES",
    "MAX_TAGS_BYTES",
    "VERSION",
    "ChannelMode",
    "Damage",
    "EndRecord",
    "EntropyKind",
    "Event",
    "Header",
    "Packet",
    "Parser",
    "Picture",
    "SampleFormat",
    "SeekTable",
    "StreamInfo",
    "TableSection",
    "channel_mode",
    "check_tag",
    "edit_tags",
    "find_packet",
    "fit_tags",
    "fixed_bytes",
    "image_picture",
    "pack_end",
    "pack_header",
    "pack_packet",
    "pack_picture",
    "packet_cost",
    "short_digest",
    "unpack_picture",
]
