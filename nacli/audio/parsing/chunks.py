"""Where the samples are in WAV, RF64, BW64, W64, AIFF, CAF and AU files, and how many bytes of them
the header promises.

Recorders that were killed, and programs that write to pipes, leave lengths in headers that are not
true. libsndfile trusts some of them, so that it is shown a header with true ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from nacli.audio.parsing.lengths import (
    ANOTHER_DATA,
    UNKNOWN,
    begins_chunk,
    is_name,
    is_placeholder,
    unclaimed,
)
from nacli.audio.wav_stream import RIFF_MAGICS

_MAX_CHUNKS = 4096
_BLOCK_BYTES = 1 << 16
_AU_MAGICS = (b".snd", b"dns.")
_W64_MAGIC = b"riff\x2e\x91\xcf\x11"
_SOX_AIFF = range(0x7F000000, 0x7F000100)
"""What sox writes into AIFF for "unknown"."""


@dataclass(frozen=True)
class _Kind:
    """How a container writes chunks: the first at byte `first`, all at multiples of `align`; a name
    of `name_bytes`, then the size in `size_bytes`, which counts `counted` bytes of this head too.
    The samples of the chunk `data` begin `lead` bytes behind the head."""

    first: int
    order: Literal["little", "big"]
    name_bytes: int = 4
    size_bytes: int = 4
    align: int = 1
    counted: int = 0
    data: bytes = b"data"
    lead: int = 0


_RIFF = _Kind(12, "little", align=2)
_AIFF = _Kind(12, "big", align=2, data=b"SSND", lead=8)
_CAF = _Kind(8, "big", size_bytes=8, lead=4)
_W64 = _Kind(40, "little", name_bytes=16, size_bytes=8, align=8, counted=24)


@dataclass(frozen=True)
class Layout:
    """Where the samples start; the bytes of them that the header promises (None: unknown), and that
    the file holds; what is wrong behind them, and where, or the size of the file; what has to stand
    in the header, by position, for libsndfile to read all samples; and the fmt chunk of WAV."""

    start: int
    promised: int | None
    held: int
    fault: str | None
    end: int
    patches: dict[int, bytes]
    format_body: bytes = b""


@dataclass(frozen=True)
class _Chunk:
    """Where a chunk begins, its name, the bytes that its body is to have, and where that begins."""

    at: int
    name: bytes
    size: int
    body: int


def find_layout(descriptor: int, size: int) -> Layout | None:
    """The layout of a file of `size` bytes; None if it is of another kind, or has no samples."""
    head = os.pread(descriptor, 24, 0)
    if head[:4] in _AU_MAGICS and len(head) == 24:
        return _au_layout(descriptor, size, head)
    if head[:4] in RIFF_MAGICS and head[8:12] == b"WAVE":
        return _riff_layout(descriptor, size, head[:4])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _layout(descriptor, size, _AIFF)
    if head[:4] == b"caff":
        return _layout(descriptor, size, _CAF)
    return _layout(descriptor, size, _W64) if head[:8] == _W64_MAGIC else None


def _riff_layout(descriptor: int, size: int, magic: bytes) -> Layout | None:
    format_body, long_at = b"", None
    for chunk in _chunks(descriptor, size, _RIFF, _RIFF.first):
        if chunk.name == b"fmt ":
            format_body = os.pread(descriptor, min(max(0, chunk.size), 64), chunk.body)
        elif chunk.name == b"ds64":
            long_at = chunk.body + 8
        elif chunk.name == _RIFF.data:
            break
    layout = _layout(descriptor, size, _RIFF, long_at)
    if layout and magic == b"BW64":  # as Rec. ITU-R BS.2088 calls RF64
        layout.patches[0] = b"RF64"
    return layout and replace(layout, format_body=format_body)


def _layout(descriptor: int, size: int, kind: _Kind, long_at: int | None = None) -> Layout | None:
    """The layout of a file of chunks; at `long_at` RF64 has the size that 32 bits cannot hold."""
    for chunk in _chunks(descriptor, size, kind, kind.first):
        if chunk.name == kind.data:
            break
    else:
        return None
    start, written = chunk.body + kind.lead, chunk.size - kind.lead
    is_long = long_at is not None and chunk.size == UNKNOWN
    if is_long:
        written = int.from_bytes(os.pread(descriptor, 8, long_at or 0), "little")
    promised = _promised(descriptor, size, start, written)
    room = max(0, size - start)
    held = room if promised is None else min(promised, room)
    true = min(held + (0 if is_long else kind.lead + kind.counted), 256**kind.size_bytes - 2)
    if is_long:
        patches = {long_at or 0: held.to_bytes(8, "little")}
    else:
        patches = {chunk.at + kind.name_bytes: true.to_bytes(kind.size_bytes, kind.order)}
    fault, end = None, size
    if promised is not None and promised <= room:
        fault, end = _behind(descriptor, size, kind, start + promised)
    return Layout(start, promised, held, fault, end, patches)


def _promised(descriptor: int, size: int, start: int, written: int) -> int | None:
    """The bytes of samples that a header promises; None where its size means "to the end"."""
    unknown = written <= 0 or is_placeholder(written) or written in _SOX_AIFF
    if not unknown or 0 < written <= size - start:
        return written
    first = os.pread(descriptor, 4, start)
    return 0 if not first or begins_chunk(first) else None


def behind_wav(descriptor: int, size: int, at: int) -> str | None:
    """As `Layout.fault`, for the samples of a WAV file that end at byte `at`."""
    return _behind(descriptor, size, _RIFF, at)[0]


def _behind(descriptor: int, size: int, kind: _Kind, at: int) -> tuple[str | None, int]:
    """What is behind the samples and may be sound, another chunk of them or what is no chunk, and
    where it begins; None and the size of the file if there is nothing."""
    if at % 2 and kind.align == 2 and os.pread(descriptor, 1, at) != b"\0":
        kind = replace(kind, align=1)  # the byte that makes chunks even was forgotten
    for chunk in _chunks(descriptor, size, kind, at):
        if chunk.name == kind.data and chunk.size:
            return ANOTHER_DATA, chunk.at
        end = chunk.body + chunk.size
        if not is_name(chunk.name) or (end > size and not begins_chunk(chunk.name)):
            break
        at = end
    return (unclaimed(size - at), at) if _holds_more(descriptor, size, at) else (None, size)


def _holds_more(descriptor: int, size: int, at: int) -> bool:
    """Whether anything but zeros is in a file from `at` on."""
    blocks = (os.pread(descriptor, _BLOCK_BYTES, start) for start in range(at, size, _BLOCK_BYTES))
    return any(block.strip(b"\0") for block in blocks)


def _chunks(descriptor: int, size: int, kind: _Kind, at: int) -> Iterator[_Chunk]:
    for _ in range(_MAX_CHUNKS):
        at += -at % kind.align
        head_bytes = kind.name_bytes + kind.size_bytes
        if at + head_bytes > size:
            return
        head = os.pread(descriptor, head_bytes, at)
        written = int.from_bytes(head[kind.name_bytes :], kind.order) - kind.counted
        yield _Chunk(at, head[:4], written, at + head_bytes)
        at += head_bytes + max(0, written)


def _au_layout(descriptor: int, size: int, head: bytes) -> Layout:
    """AU has no chunks: a head of which byte 4 says where the samples start, and their size."""
    order: Literal["little", "big"] = "big" if head[:1] == b"." else "little"
    start, written = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))
    promised = _promised(descriptor, size, start, written)
    room = max(0, size - start)
    held = room if promised is None else min(promised, room)
    end = start + held
    fault = unclaimed(size - end) if _holds_more(descriptor, size, end) else None
    return Layout(start, promised, held, fault, end, {8: held.to_bytes(4, order)})
