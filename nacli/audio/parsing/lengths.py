"""Rules for files and pipes alike: which data lengths mean "to the end", and which chunks may
follow the samples."""

from __future__ import annotations

UNKNOWN = 0xFFFFFFFF
"""Length field of 32 bits that means "unknown", or that RF64 replaces by 64 bits in its ds64
chunk."""

ANOTHER_DATA = "a second chunk of samples was not read"

_CHUNKS = (
    "list id3 bext cue smpl inst fact junk pad fllr ixml axml _pmx axml cart afsp plst labl disp "
    "umid levl peak comm name auth (c) anno mark comt appl fver chan midi basc chna cset acid strc "
    "chan info free uuid strg regn kuki pakt ovvw edct summ chrp cont dbmd slnt regn tlst minf elm1"
)
_NAMES = frozenset(name.ljust(4).encode() for name in _CHUNKS.split())
"""Chunks of WAV, AIFF, CAF and W64 that hold no samples, in lower case."""


def is_placeholder(size: int) -> bool:
    """Tell whether writers use this data length for "unknown".

    ffmpeg writes -1, sox 0x7ffff000, arecord 2^31, gstreamer and killed recorders 0; some subtract
    the size of the header. In fields of 64 bits it is -1 or 2^63 - 1.
    """
    near_2_gib = 0x7FFFEF00 <= size <= 0x80000000
    near_4_gib = 0xFFFFEF00 <= size <= UNKNOWN
    return size <= 0 or size >= 2**62 or near_2_gib or near_4_gib


def begins_chunk(name: bytes) -> bool:
    """Tell whether four bytes at the start of the samples are the name of a known chunk instead."""
    return name.lower() in _NAMES


def is_name(name: bytes) -> bool:
    """Tell whether these are four printable bytes, as the names of chunks are."""
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def trailing_bytes_fault(count: int) -> str:
    """Return the message about bytes after the samples that belong to no chunk."""
    return f"{count} bytes after the samples were not read"
