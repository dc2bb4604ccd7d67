"""MPEG audio frames (ISO/IEC 11172-3 and 13818-3): split joined files, and count their frames.

libsndfile reads the number of samples that the first Xing header counts; without one it estimates
the number from the length of the file. It so omits most of joined files and of files of variable
bitrate without a Xing header. Here each stream becomes a file of its own, with a true count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from nacli.audio.metadata.id3 import HEAD_BYTES, tag_size
from nacli.audio.parsing.mpeg_frames import (
    COUNT_FLAG,
    LONGEST_FRAME,
    XING_BYTES,
    XING_MARKS,
    FrameHeader,
    medium_bitrate,
    parse_header,
)
from nacli.audio.parsing.spliced import Piece

_BLOCK_BYTES = 1 << 18
_TAGS = (b"ID3", b"TAG", b"APE", b"LYR", bytes(3))
"""First bytes of ID3v2, ID3v1, APEv2 and Lyrics3 tags, and of padding."""
_COUNT_TOLERANCE = 1
"""Frames that a whole stream may lack: some encoders count the frame with the Xing header too."""


@dataclass
class Stream:
    """One of the streams that are joined in a file, and the number of its samples."""

    pieces: list[Piece]
    samples: int
    short: bool
    """Whether it has fewer frames than its Xing header counts."""
    damaged: bool
    """Whether bytes that are no MPEG audio come before it, or after the last stream."""


@dataclass
class _Run:
    """Consecutive frames of one stream."""

    head: bytes
    """Header of the first frame."""
    frame: FrameHeader
    """The same, parsed."""
    start: int
    stop: int
    """Offsets of the first frame and of the end of the last."""
    count: int | None
    """Frames by the Xing header, if the run begins with one."""
    frames: int = 0
    """Frames of sound so far."""
    constant: bool = True
    """Whether all frames have the bitrate of the first."""
    damaged: bool = False

    def ends_before(self, frame: FrameHeader) -> bool:
        """Tell whether `frame`, which comes next, belongs to another stream."""
        return frame.kind != self.frame.kind or self.frames == self.count

    def append(self, frame: FrameHeader, stop: int) -> None:
        """Add the next frame, which ends at offset `stop`."""
        self.stop = stop
        self.frames += 1
        self.constant &= frame.kbps == self.frame.kbps


def find_streams(descriptor: int, size: int) -> list[Stream]:
    """Return the streams of an MPEG audio file of `size` bytes; none if it is another file."""
    start = 0
    while length := tag_size(os.pread(descriptor, HEAD_BYTES, start)):
        start += length
    file = _FrameFile(descriptor, size)
    if not file.is_frame(start):
        return []
    return [_stream(run) for run in _runs(file, start)]


class _FrameFile:
    """The frames of a file, which is read in blocks."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self.size = descriptor, size
        self._start, self._block = 0, b""

    def bytes_at(self, at: int, size: int) -> bytes:
        """Return `size` bytes at an offset; fewer only at the end of the file."""
        if not self._start <= at <= self._start + len(self._block) - size:
            self._start = at
            self._block = os.pread(self._descriptor, max(size, _BLOCK_BYTES), at)
        return self._block[at - self._start : at - self._start + size]

    def frame(self, at: int) -> FrameHeader | None:
        """Return the header of the frame at an offset; None if no whole frame is there."""
        frame = parse_header(self.bytes_at(at, 4))
        return frame if frame and at + frame.size <= self.size else None

    def is_frame(self, at: int) -> bool:
        """Tell whether a frame is at an offset, followed by another frame or the end."""
        frame = self.frame(at)
        if frame is None:
            return False
        end = at + frame.size
        return end == self.size or parse_header(self.bytes_at(end, 4)) is not None

    def xing(self, at: int, frame: FrameHeader) -> tuple[bool, int | None]:
        """Tell whether the frame at an offset has a Xing header, and the number of frames by it."""
        if frame.xing_at is None or frame.size < frame.xing_at + XING_BYTES:
            return False, None
        header = self.bytes_at(at + frame.xing_at, XING_BYTES)
        if header[:4] not in XING_MARKS:
            return False, None
        return True, (header[7] & COUNT_FLAG and int.from_bytes(header[8:], "big")) or None

    def is_tag(self, at: int) -> bool:
        """Tell whether a tag or padding is at an offset that has no frame."""
        return self.bytes_at(at, 3) in _TAGS

    def next_frame(self, at: int) -> int:
        """Return the offset of the next frame after tags and damage, or the size of the file."""
        while at < self.size and not self.is_frame(at):
            if length := tag_size(self.bytes_at(at, HEAD_BYTES)):
                at += length
            else:
                block = self.bytes_at(at + 1, min(_BLOCK_BYTES, max(1, self.size - at - 1)))
                sync = block.find(b"\xff")
                at += 1 + (sync if sync >= 0 else max(1, len(block)))
        return min(at, self.size)


def _runs(file: _FrameFile, at: int) -> Iterator[_Run]:
    """Yield the frames from an offset on, split at the ends of streams and at other bytes."""
    run: _Run | None = None
    damaged = False
    while at < file.size:
        frame = file.frame(at)
        if frame is None:
            after = file.next_frame(at)
            cut_frame = LONGEST_FRAME if after == file.size else 0  # at the end: no damage
            damaged = not file.is_tag(at) and after - at > cut_frame
        else:
            has_xing, count = file.xing(at, frame)
            after = at + frame.size
        if run and (frame is None or has_xing or run.ends_before(frame)):
            yield run
            run = None
        if frame and run is None:
            run = _Run(file.bytes_at(at, 4), frame, at, at, count, -has_xing, damaged=damaged)
            damaged = False
        at = after
        if run and frame:
            run.append(frame, at)
    if run:
        run.damaged |= damaged
        yield run


def _stream(run: _Run) -> Stream:
    """Return a run as a file.

    A run of variable bitrate without a Xing header gets one. Others do not, since decoders take a
    Xing header as a sign to skip the delay of the encoder.
    """
    pieces: list[Piece] = [range(run.start, run.stop)]
    head = medium_bitrate(run.head)
    frame = parse_header(head)
    if run.count is None and not run.constant and frame and frame.xing_at is not None:
        xing = XING_MARKS[1] + COUNT_FLAG.to_bytes(4, "big") + run.frames.to_bytes(4, "big")
        pieces.insert(0, (head + bytes(frame.xing_at - 4) + xing).ljust(frame.size, b"\0"))
    short = run.count is not None and run.frames + _COUNT_TOLERANCE < run.count
    return Stream(pieces, run.frames * run.frame.samples, short, run.damaged)
