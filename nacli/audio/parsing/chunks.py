"""Find the samples in WAV, RF64, BW64, W64, AIFF, CAF and AU files, and the length that the header
promises.

Recorders that were killed and programs that write to pipes leave wrong lengths in headers.
libsndfile trusts some of these lengths, so it is given a header with the true ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from nacli.audio.parsing.chunk_formats import CAF, IFF, RIFF, W64, ChunkFormat
from nacli.audio.parsing.lengths import (
    ANOTHER_DATA,
    UNKNOWN,
    begins_chunk,
    is_name,
    is_placeholder,
    trailing_bytes_fault,
)
from nacli.audio.wav_stream import RIFF_MAGICS

_MAX_CHUNKS = 4096
_BLOCK_BYTES = 1 << 16
_AU_MAGICS = (b".snd", b"dns.")
_AU_HEAD_BYTES = 24
_W64_MAGIC = b"riff\x2e\x91\xcf\x11"
_SOX_AIFF = range(0x7F000000, 0x7F000100)
"""Data lengths that sox writes into AIFF for "unknown"."""


@dataclass(frozen=True)
class Layout:
    """Where the samples of a file are, and what its header says of them."""

    start: int
    """Offset of the first sample."""
    promised: int | None
    """Bytes of samples by the header; None if it means "to the end"."""
    held: int
    """Bytes of samples that are there."""
    fault: str | None
    """Message about unread sound after the samples, if there is any."""
    end: int
    """Offset at which that begins, else the size of the file."""
    patches: dict[int, bytes]
    """Bytes of the header to replace, by offset, so that libsndfile reads all samples."""
    format_body: bytes = b""
    """Body of the fmt chunk of WAV."""


@dataclass(frozen=True)
class _Chunk:
    """A chunk: its offset, its name, the size of its body by the header, the offset of its body."""

    at: int
    name: bytes
    size: int
    body: int


def find_layout(descriptor: int, size: int) -> Layout | None:
    """Return the layout of a file of `size` bytes; None if it is of another kind, or has no
    samples."""
    head = os.pread(descriptor, _AU_HEAD_BYTES, 0)
    if head[:4] in _AU_MAGICS and len(head) == _AU_HEAD_BYTES:
        return _au_layout(descriptor, size, head)
    if head[:4] in RIFF_MAGICS and head[8:12] == b"WAVE":
        return _riff_layout(descriptor, size, head[:4])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _chunk_layout(descriptor, size, IFF)
    if head[:4] == b"caff":
        return _chunk_layout(descriptor, size, CAF)
    return _chunk_layout(descriptor, size, W64) if head[:8] == _W64_MAGIC else None


def _riff_layout(descriptor: int, size: int, magic: bytes) -> Layout | None:
    format_body, long_at = b"", None
    for chunk in _chunks(descriptor, size, RIFF, RIFF.first):
        if chunk.name == b"fmt ":
            format_body = os.pread(descriptor, min(max(0, chunk.size), 64), chunk.body)
        elif chunk.name == b"ds64":
            long_at = chunk.body + 8
        elif chunk.name == RIFF.data:
            break
    layout = _chunk_layout(descriptor, size, RIFF, long_at)
    if layout and magic == b"BW64":  # Rec. ITU-R BS.2088 calls RF64 so; libsndfile does not
        layout.patches[0] = b"RF64"
    return layout and replace(layout, format_body=format_body)


def _chunk_layout(
    descriptor: int, size: int, form: ChunkFormat, long_at: int | None = None
) -> Layout | None:
    """Return the layout of a file of chunks. `long_at` is the offset of the data length of 64 bits
    in RF64."""
    data = _data_chunk(descriptor, size, form)
    if data is None:
        return None
    start, written = data.body + form.lead, data.size - form.lead
    is_long = long_at is not None and data.size == UNKNOWN
    if is_long:
        written = int.from_bytes(os.pread(descriptor, 8, long_at or 0), "little")
    promised = _promised_bytes(descriptor, size, start, written)
    available = max(0, size - start)
    held = available if promised is None else min(promised, available)
    if is_long:
        patches = {long_at or 0: held.to_bytes(8, "little")}
    else:
        true = min(held + form.lead + form.head_in_size, 256**form.size_bytes - 2)
        patches = {data.at + form.name_bytes: true.to_bytes(form.size_bytes, form.order)}
    fault, end = None, size
    if promised is not None and promised <= available:
        fault, end = _trailing_fault(descriptor, size, form, start + promised)
    return Layout(start, promised, held, fault, end, patches)


def _data_chunk(descriptor: int, size: int, form: ChunkFormat) -> _Chunk | None:
    """Return the chunk that holds the samples."""
    chunks = _chunks(descriptor, size, form, form.first)
    return next((chunk for chunk in chunks if chunk.name == form.data), None)


def _promised_bytes(descriptor: int, size: int, start: int, written: int) -> int | None:
    """Return the bytes of samples that a header promises by its field `written`; None if the field
    means "to the end"."""
    unknown = written <= 0 or is_placeholder(written) or written in _SOX_AIFF
    if not unknown or 0 < written <= size - start:
        return written
    first = os.pread(descriptor, 4, start)
    return 0 if not first or begins_chunk(first) else None


def wav_trailing_fault(descriptor: int, size: int, at: int) -> str | None:
    """Return `Layout.fault` of a WAV file whose samples end at offset `at`."""
    return _trailing_fault(descriptor, size, RIFF, at)[0]


def _trailing_fault(
    descriptor: int, size: int, form: ChunkFormat, at: int
) -> tuple[str | None, int]:
    """Look for unread sound after the samples, which end at offset `at`: a second data chunk, or
    bytes that are no chunk and not all zero.

    Returns: a message and the offset at which that begins, or None and the size of the file.
    """
    if at % 2 and form.align == 2 and os.pread(descriptor, 1, at) != b"\0":
        form = replace(form, align=1)  # the writer forgot the padding byte
    for chunk in _chunks(descriptor, size, form, at):
        if chunk.name == form.data and chunk.size:
            return ANOTHER_DATA, chunk.at
        end = chunk.body + chunk.size
        if not is_name(chunk.name) or (end > size and not begins_chunk(chunk.name)):
            break
        at = end
    more = _has_nonzero(descriptor, size, at)
    return (trailing_bytes_fault(size - at), at) if more else (None, size)


def _has_nonzero(descriptor: int, size: int, at: int) -> bool:
    """Tell whether any byte of a file from offset `at` on is not zero."""
    blocks = (os.pread(descriptor, _BLOCK_BYTES, start) for start in range(at, size, _BLOCK_BYTES))
    return any(block.strip(b"\0") for block in blocks)


def _chunks(descriptor: int, size: int, form: ChunkFormat, at: int) -> Iterator[_Chunk]:
    """Yield the chunks from offset `at` on."""
    for _ in range(_MAX_CHUNKS):
        at += -at % form.align
        if at + form.head_bytes > size:
            return
        head = os.pread(descriptor, form.head_bytes, at)
        written = int.from_bytes(head[form.name_bytes :], form.order) - form.head_in_size
        yield _Chunk(at, head[:4], written, at + form.head_bytes)
        at += form.head_bytes + max(0, written)


def _au_layout(descriptor: int, size: int, head: bytes) -> Layout:
    """Return the layout of an AU file. It has no chunks: its head holds the offset of the samples
    at byte 4 and their size at byte 8."""
    order: Literal["little", "big"] = "big" if head[:1] == b"." else "little"
    start, written = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))
    promised = _promised_bytes(descriptor, size, start, written)
    available = max(0, size - start)
    held = available if promised is None else min(promised, available)
    end = start + held
    fault = trailing_bytes_fault(size - end) if _has_nonzero(descriptor, size, end) else None
    return Layout(start, promised, held, fault, end, {8: held.to_bytes(4, order)})
