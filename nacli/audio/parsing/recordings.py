"""Split a file into recordings that libsndfile reads completely, each with a true header."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from nacli.audio.metadata.id3 import HEAD_BYTES, tag_size
from nacli.audio.parsing import flac, mpeg, ogg
from nacli.audio.parsing.chunks import Layout
from nacli.audio.parsing.spliced import Piece, SplicedFile, patched

BY_LIBSNDFILE = -1
"""Stands for the number of samples that libsndfile finds in the header."""


@dataclass
class Recording:
    """One recording of a file, as a file of its own."""

    pieces: list[Piece]
    promised: int | None = BY_LIBSNDFILE
    """Samples that the header promises; None if it does not say."""
    samples: int | None = BY_LIBSNDFILE
    """Length in samples; None if it is unknown."""
    missing_bytes: int = 0
    """Bytes of samples that the header promises beyond those that are there."""
    held_bytes: int = 0
    """Bytes of samples that are there."""
    faults: list[str] = field(default_factory=list)
    """Messages about sound that is not read."""
    damaged: bool = False


def find_recordings(descriptor: int, size: int, layout: Layout | None) -> list[Recording]:
    """Return the recordings in a file of `size` bytes. `layout` is that of a file of chunks."""
    if layout:
        return [_from_chunks(layout)]
    start = tag_size(os.pread(descriptor, HEAD_BYTES, 0))
    head = os.pread(descriptor, flac.HEAD_BYTES, start)
    if head.startswith(flac.MAGIC) and len(head) == flac.HEAD_BYTES:
        return [_from_flac(descriptor, [head, range(start + len(head), size)])]
    if head.startswith(ogg.MAGIC):
        recordings = [_from_ogg(descriptor, link) for link in ogg.find_links(descriptor, size)]
    else:
        recordings = [_from_mpeg(stream) for stream in mpeg.find_streams(descriptor, size)]
    return recordings or [Recording([range(size)])]


def _from_chunks(layout: Layout) -> Recording:
    missing_bytes = 0 if layout.promised is None else layout.promised - layout.held
    faults = [layout.fault] if layout.fault else []
    pieces = patched(layout.end, layout.patches)
    return Recording(pieces, missing_bytes=missing_bytes, held_bytes=layout.held, faults=faults)


def _from_flac(descriptor: int, pieces: list[Piece]) -> Recording:
    """Return a FLAC file, whose first piece is its head, with an unknown total in its STREAMINFO,
    so that libsndfile reads all of it."""
    head = pieces[0]
    assert isinstance(head, bytes), "the head is changed here"
    total, open_head = flac.read_total(head[: flac.HEAD_BYTES])
    file = SplicedFile(descriptor, [open_head + head[flac.HEAD_BYTES :], *pieces[1:]])
    tail_bytes = min(flac.TAIL_BYTES, file.seek(0, os.SEEK_END))
    file.seek(-tail_bytes, os.SEEK_END)
    is_true = total is not None and flac.ends_with(head, file.read(tail_bytes), total)
    return Recording(file.pieces, total, total if is_true else None)


def _from_ogg(descriptor: int, link: ogg.Link) -> Recording:
    is_flac = isinstance(link.pieces[0], bytes)
    recording = _from_flac(descriptor, link.pieces) if is_flac else Recording(link.pieces)
    recording.faults, recording.damaged = link.faults, link.damaged
    return recording


def _from_mpeg(stream: mpeg.Stream) -> Recording:
    """Return an MPEG stream. Its length is unknown, since libsndfile may have only an estimate."""
    faults = ["bytes that are no MPEG audio were passed over"] if stream.damaged else []
    promised = BY_LIBSNDFILE if stream.short else None
    return Recording(stream.pieces, promised, None, faults=faults, damaged=stream.damaged)
