"""Ogg pages (RFC 3533): split a chained stream into its links, each a file of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from nacli.audio.parsing.spliced import Piece

MAGIC = b"OggS"
"""Capture pattern of a page."""
_FLAC = b"\x7fFLAC"
_FLAC_MAPPING_BYTES = 9
"""Bytes of the first packet of FLAC in Ogg before the native FLAC file begins (xiph.org's
mapping)."""
_HEAD_BYTES = 27
"""Bytes of a page before its segment table."""
_MAX_HEAD_BYTES = _HEAD_BYTES + 255
_FIRST, _LAST = 2, 4
"""Header flags: beginning and end of a logical stream."""
_SEARCH_BYTES = 1 << 16


@dataclass
class Link:
    """One link of a chain: its pages as `pieces`, messages about its faults, and whether it is
    damaged."""

    pieces: list[Piece]
    faults: list[str] = field(default_factory=list)
    damaged: bool = False


@dataclass(frozen=True)
class _Page:
    """A page: its offset, the offsets of its body, and fields of its header."""

    start: int
    body: range
    flags: int
    serial: bytes
    sequence: int


def find_links(descriptor: int, size: int) -> list[Link]:
    """Return the links of an Ogg file of `size` bytes. FLAC becomes native FLAC."""
    links: list[list[_Page]] = []
    for page in _pages(descriptor, size):
        if not links or (page.flags & _FIRST and not links[-1][-1].flags & _FIRST):
            links.append([])
        links[-1].append(page)
    return [_link(descriptor, pages) for pages in links]


def _pages(descriptor: int, size: int) -> Iterator[_Page]:
    """Yield all whole pages, and skip the bytes between them."""
    at = 0
    while (at := _find_magic(descriptor, at, size)) < size:
        head = os.pread(descriptor, _MAX_HEAD_BYTES, at)
        segments = head[_HEAD_BYTES : _HEAD_BYTES + head[26]] if len(head) > _HEAD_BYTES else b""
        start = at + _HEAD_BYTES + len(segments)
        stop = start + sum(segments)
        version = head[4:5]
        if version != b"\0" or stop > size:
            at += len(MAGIC)
            continue
        sequence = int.from_bytes(head[18:22], "little")
        yield _Page(at, range(start, stop), head[5], head[14:18], sequence)
        at = stop


def _find_magic(descriptor: int, at: int, size: int) -> int:
    """Return the offset of the next capture pattern, or `size` if there is none."""
    while at < size:
        data = os.pread(descriptor, len(MAGIC), at)
        if data == MAGIC:
            return at
        data = os.pread(descriptor, _SEARCH_BYTES, at)
        offset = data.find(MAGIC)
        if offset >= 0:
            return at + offset
        if len(data) < _SEARCH_BYTES:
            return size
        at += len(data) - len(MAGIC) + 1
    return size


def _link(descriptor: int, pages: list[_Page]) -> Link:
    """Return the link of these pages, and the faults of its first logical stream."""
    serial = pages[0].serial
    own = [page for page in pages if page.serial == serial]
    link = Link([range(pages[0].start, pages[-1].body.stop)])
    if len({page.serial for page in pages if page.flags & _FIRST}) > 1:
        link.faults.append("of several Ogg streams at once, one was read")
    if any(after.sequence != before.sequence + 1 for before, after in pairwise(own)):
        link.damaged = True
        link.faults.append("pages of the Ogg stream are missing or damaged")
    if not own[-1].flags & _LAST:
        link.faults.append("the last page of the Ogg stream is missing")
    first = os.pread(descriptor, len(own[0].body), own[0].body.start)
    if first.startswith(_FLAC):
        link.pieces = [first[_FLAC_MAPPING_BYTES:], *(page.body for page in own[1:])]
    return link
