"""One rule for files and pipes: which written lengths mean "to the end", and what may stand behind
the samples."""

from __future__ import annotations

UNKNOWN = 0xFFFFFFFF

ANOTHER_DATA = "a second chunk of samples was not read"

_CHUNKS = (
    "list id3 bext cue smpl inst fact junk pad fllr ixml axml _pmx axml cart afsp plst labl disp "
    "umid levl peak comm name auth (c) anno mark comt appl fver chan midi basc chna cset acid strc "
    "chan info free uuid strg regn kuki pakt ovvw edct summ chrp cont dbmd slnt regn tlst minf elm1"
)
_NAMES = frozenset(name.ljust(4).encode() for name in _CHUNKS.split())
"""Chunks of WAV, AIFF, CAF and W64 that hold no samples, in lower case."""


def is_placeholder(size: int) -> bool:
    """Whether writers use this data length for "unknown": ffmpeg -1, sox 0x7ffff000, arecord 2^31,
    gstreamer and killed recorders 0, some of them less the header; with 64 bits, -1 or 2^63 - 1."""
    near_2_gib = 0x7FFFEF00 <= size <= 0x80000000
    near_4_gib = 0xFFFFEF00 <= size <= UNKNOWN
    return size <= 0 or size >= 2**62 or near_2_gib or near_4_gib


def begins_chunk(name: bytes) -> bool:
    """Whether these four bytes, which come where the samples should, are the name of a chunk."""
    return name.lower() in _NAMES


def is_name(name: bytes) -> bool:
    """Whether these four bytes may be the name of a chunk."""
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def unclaimed(count: int) -> str:
    """What is said of bytes that belong to no chunk."""
    return f"{count} bytes behind the samples were not read"
