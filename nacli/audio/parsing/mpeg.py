"""Frames of MPEG audio: joined files told apart, and their true lengths.

libsndfile reads as many samples as the first Xing frame counts, and without such a frame as many as
it expects from the length of the file. Of joined files, and of a variable bitrate without a count,
that leaves much out. So each recording becomes a file of its own, with a true count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nacli.audio.metadata.id3 import HEAD_BYTES, tag_size
from nacli.audio.parsing.spliced import Piece

_RATES = (44_100, 48_000, 32_000)
_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bitrates by version (2 stands for 2.5 too) and layer."""
_HALVINGS = {3: 0, 2: 1, 0: 2}
"""Sample rates of MPEG 1, 2 and 2.5, by the bits that stand for them."""
_MONO = 3
_XING = (b"Xing", b"Info")
_XING_BYTES = 12
_COUNTED = 1
_MIDDLE_KBPS = 9
_BLOCK_BYTES = 1 << 18
_TAGS = (b"ID3", b"TAG", b"APE", b"LYR", bytes(3))
_LONGEST = 1440
"""Bytes of the longest frame; a cut one at the end is no damage."""
_SLACK = 1
"""Frames that may be missing in a whole file: some encoders count the Xing frame itself."""


@dataclass
class Recording:
    """One of joined recordings, and the samples of its frames. `short` where it has fewer frames
    than its Xing frame counts, `damaged` where it begins behind bytes that are none of MPEG."""

    pieces: list[Piece]
    samples: int
    short: bool
    damaged: bool


@dataclass(frozen=True)
class _Frame:
    """What four bytes say of their frame. `kind` does not change within a recording; a Xing
    frame's mark stands at `mark_at`, None in layers that have no such frames."""

    size: int
    samples: int
    kbps: int
    kind: tuple[int, ...]
    mark_at: int | None


@dataclass
class _Run:
    """Frames in a row: the first of them, where they start and stop, their number, and the count of
    the Xing frame that they begin with."""

    head: bytes
    frame: _Frame
    start: int
    stop: int
    count: int | None
    frames: int = 0
    constant: bool = True
    damaged: bool = False

    def ends(self, frame: _Frame) -> bool:
        """Whether `frame`, which comes next, belongs to another recording."""
        return frame.kind != self.frame.kind or self.frames == self.count

    def take(self, frame: _Frame, stop: int) -> None:
        self.stop = stop
        self.frames += 1
        self.constant &= frame.kbps == self.frame.kbps


def find_recordings(descriptor: int, size: int) -> list[Recording]:
    """The recordings of an MPEG audio file of `size` bytes; none if it is another file."""
    start = 0
    while length := tag_size(os.pread(descriptor, HEAD_BYTES, start)):
        start += length
    source = _Source(descriptor, size)
    if not source.is_frame(start):
        return []
    return [_recording(run) for run in _runs(source, start)]


@lru_cache(4096)
def _parse(head: bytes) -> _Frame | None:
    """The frame that begins with four bytes; None if none does, or one of free format."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = (head[1] >> 3) & 3, 4 - ((head[1] >> 1) & 3)
    kbps_index, rate_index = head[2] >> 4, (head[2] >> 2) & 3
    if version == 1 or layer == 4 or rate_index == 3 or kbps_index in (0, 15):
        return None
    low = version != 3
    rate = _RATES[rate_index] >> _HALVINGS[version]
    kbps = _KBPS[2 if low else 1, layer][kbps_index - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and low else 1152
    unit = 4 if layer == 1 else 1
    frame_bytes = (samples // 8 * kbps * 1000 // rate // unit + ((head[2] >> 1) & 1)) * unit
    mono = head[3] >> 6 == _MONO
    side_bytes = (9 if mono else 17) if low else (17 if mono else 32)
    mark_at = 4 + side_bytes if layer == 3 else None
    return _Frame(frame_bytes, samples, kbps, (version, layer, rate_index, mono), mark_at)


class _Source:
    """The bytes of a file, a block of it at a time."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self.size = descriptor, size
        self._start, self._block = 0, b""

    def bytes_at(self, at: int, size: int) -> bytes:
        if not self._start <= at <= self._start + len(self._block) - size:
            self._start = at
            self._block = os.pread(self._descriptor, max(size, _BLOCK_BYTES), at)
        return self._block[at - self._start : at - self._start + size]

    def frame(self, at: int) -> _Frame | None:
        """The whole frame at `at`."""
        frame = _parse(self.bytes_at(at, 4))
        return frame if frame and at + frame.size <= self.size else None

    def is_frame(self, at: int) -> bool:
        """Whether a frame is there, and another or the end behind it."""
        frame = self.frame(at)
        return frame is not None and (
            at + frame.size == self.size or _parse(self.bytes_at(at + frame.size, 4)) is not None
        )

    def count(self, at: int, frame: _Frame) -> tuple[bool, int | None]:
        """Whether the frame at `at` is a Xing frame, and its count."""
        if frame.mark_at is None or frame.size < frame.mark_at + _XING_BYTES:
            return False, None
        found = self.bytes_at(at + frame.mark_at, _XING_BYTES)
        if found[:4] not in _XING:
            return False, None
        return True, (found[7] & _COUNTED and int.from_bytes(found[8:], "big")) or None

    def holds_tag(self, at: int) -> bool:
        """Whether what is no frame is a tag, or zeros."""
        return self.bytes_at(at, 3) in _TAGS

    def next_frame(self, at: int) -> int:
        """Where the next frame begins, past tags and damage; the size of the file if nowhere."""
        while at < self.size and not self.is_frame(at):
            if length := tag_size(self.bytes_at(at, HEAD_BYTES)):
                at += length
            else:
                block = self.bytes_at(at + 1, min(_BLOCK_BYTES, max(1, self.size - at - 1)))
                found = block.find(b"\xff")
                at += 1 + (found if found >= 0 else max(1, len(block)))
        return min(at, self.size)


def _runs(source: _Source, at: int) -> Iterator[_Run]:
    """The frames from `at` on, cut where a recording ends and where there is something else."""
    run: _Run | None = None
    damaged = False
    while at < source.size:
        frame = source.frame(at)
        if frame is None:
            after = source.next_frame(at)
            damaged = not source.holds_tag(at) and after - at > (after == source.size) * _LONGEST
        else:
            is_xing, count = source.count(at, frame)
            after = at + frame.size
        if run and (frame is None or is_xing or run.ends(frame)):
            yield run
            run = None
        if frame and run is None:
            run = _Run(source.bytes_at(at, 4), frame, at, at, count, -is_xing, damaged=damaged)
            damaged = False
        at = after
        if run and frame:
            run.take(frame, at)
    if run:
        run.damaged |= damaged
        yield run


def _recording(run: _Run) -> Recording:
    """`run` as a file. Where the bitrate varies and nothing counts the frames, a Xing frame does;
    not elsewhere, as it makes decoders leave out what they take for their own delay."""
    pieces: list[Piece] = [range(run.start, run.stop)]
    head = bytes([run.head[0], run.head[1] | 1, _MIDDLE_KBPS << 4 | run.head[2] & 12, run.head[3]])
    frame = _parse(head)
    if run.count is None and not run.constant and frame and frame.mark_at is not None:
        mark = _XING[1] + _COUNTED.to_bytes(4, "big") + run.frames.to_bytes(4, "big")
        pieces.insert(0, (head + bytes(frame.mark_at - 4) + mark).ljust(frame.size, b"\0"))
    short = run.count is not None and run.frames + _SLACK < run.count
    return Recording(pieces, run.frames * run.frame.samples, short, run.damaged)
