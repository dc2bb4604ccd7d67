"""Pages of Ogg files (RFC 3533): the links of a chain, each as a file of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from nacli.audio.parsing.spliced import Piece

MAGIC = b"OggS"
_FLAC = b"\x7fFLAC"
_HEAD_BYTES = 27
_MOST_HEAD_BYTES = _HEAD_BYTES + 255
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_SEARCH_BYTES = 1 << 16


@dataclass
class Link:
    """One stream of a chain: its pages as `pieces`; `faults` name what is wrong with them."""

    pieces: list[Piece]
    faults: list[str] = field(default_factory=list)
    damaged: bool = False


@dataclass(frozen=True)
class _Page:
    start: int
    body: range
    flags: int
    serial: bytes
    sequence: int


def find_links(descriptor: int, size: int) -> list[Link]:
    """The links of an Ogg file of `size` bytes, FLAC among them as native FLAC."""
    links: list[list[_Page]] = []
    for page in _pages(descriptor, size):
        if not links or (page.flags & _FIRST and not links[-1][-1].flags & _FIRST):
            links.append([])
        links[-1].append(page)
    return [_link(descriptor, pages) for pages in links]


def _pages(descriptor: int, size: int) -> Iterator[_Page]:
    """All pages; what stands between them is passed over."""
    at = 0
    while (at := _find_magic(descriptor, at, size)) < size:
        head = os.pread(descriptor, _MOST_HEAD_BYTES, at)
        table = head[_HEAD_BYTES : _HEAD_BYTES + head[26]] if len(head) > _HEAD_BYTES else b""
        start = at + _HEAD_BYTES + len(table)
        stop = start + sum(table)
        if head[4:5] != b"\0" or stop > size:
            at += len(MAGIC)
            continue
        sequence = int.from_bytes(head[18:22], "little")
        yield _Page(at, range(start, stop), head[5], head[14:18], sequence)
        at = stop


def _find_magic(descriptor: int, at: int, size: int) -> int:
    """Where the next page may start; `size` if there is none."""
    while at < size:
        data = os.pread(descriptor, len(MAGIC), at)
        if data == MAGIC:
            return at
        data = os.pread(descriptor, _SEARCH_BYTES, at)
        found = data.find(MAGIC)
        if found >= 0:
            return at + found
        if len(data) < _SEARCH_BYTES:
            return size
        at += len(data) - len(MAGIC) + 1
    return size


def _link(descriptor: int, pages: list[_Page]) -> Link:
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
        link.pieces = [first[9:], *(page.body for page in own[1:])]
    return link
