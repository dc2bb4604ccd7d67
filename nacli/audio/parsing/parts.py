"""A file taken apart into what libsndfile reads rightly: one recording each, with a true header."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from nacli.audio.metadata.id3 import HEAD_BYTES, tag_size
from nacli.audio.parsing import flac, mpeg, ogg
from nacli.audio.parsing.chunks import Layout
from nacli.audio.parsing.spliced import Piece, Spliced, patched

FROM_FRAMES = -1
"""For a number of samples: as many as libsndfile finds in the header."""


@dataclass
class Part:
    """One recording, as a file of these `pieces`.

    Its header promises so many samples (None: it does not say), and those of `cut_bytes` beyond the
    `held_bytes` that are there; `samples` is its length, None if that is unknown.
    """

    pieces: list[Piece]
    promised: int | None = FROM_FRAMES
    samples: int | None = FROM_FRAMES
    cut_bytes: int = 0
    held_bytes: int = 0
    faults: list[str] = field(default_factory=list)
    damaged: bool = False


def find_parts(descriptor: int, size: int, layout: Layout | None) -> list[Part]:
    """The recordings in a file of `size` bytes, and of this layout, if it is one of chunks."""
    if layout:
        return [_chunked(layout)]
    start = tag_size(os.pread(descriptor, HEAD_BYTES, 0))
    head = os.pread(descriptor, flac.HEAD_BYTES, start)
    if head.startswith(flac.MAGIC) and len(head) == flac.HEAD_BYTES:
        return [_flac(descriptor, [head, range(start + len(head), size)])]
    if head.startswith(ogg.MAGIC):
        parts = [_ogg(descriptor, link) for link in ogg.find_links(descriptor, size)]
    else:
        parts = [_mpeg(recording) for recording in mpeg.find_recordings(descriptor, size)]
    return parts or [Part([range(size)])]


def _chunked(layout: Layout) -> Part:
    cut_bytes = 0 if layout.promised is None else layout.promised - layout.held
    faults = [layout.fault] if layout.fault else []
    pieces = patched(layout.end, layout.patches)
    return Part(pieces, cut_bytes=cut_bytes, held_bytes=layout.held, faults=faults)


def _flac(descriptor: int, pieces: list[Piece]) -> Part:
    """A FLAC file whose first piece is its head: without the promised length, all of it is read."""
    head = pieces[0]
    assert isinstance(head, bytes), "it is to be changed"
    total, open_head = flac.read_total(head[: flac.HEAD_BYTES])
    whole = Spliced(descriptor, [open_head + head[flac.HEAD_BYTES :], *pieces[1:]])
    tail_bytes = min(flac.TAIL_BYTES, whole.seek(0, os.SEEK_END))
    whole.seek(-tail_bytes, os.SEEK_END)
    holds = total is not None and flac.ends_with(head, whole.read(tail_bytes), total)
    return Part(whole.pieces, total, total if holds else None)


def _ogg(descriptor: int, link: ogg.Link) -> Part:
    is_flac = isinstance(link.pieces[0], bytes)
    part = _flac(descriptor, link.pieces) if is_flac else Part(link.pieces)
    part.faults, part.damaged = link.faults, link.damaged
    return part


def _mpeg(recording: mpeg.Recording) -> Part:
    """libsndfile's length may be an estimate."""
    faults = ["bytes that are no MPEG audio were passed over"] if recording.damaged else []
    promised = FROM_FRAMES if recording.short else None
    return Part(recording.pieces, promised, None, faults=faults, damaged=recording.damaged)
