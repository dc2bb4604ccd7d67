"""Resampling that may start anywhere: each sample depends only on the input around it.

soxr's rounding depends on the position of its blocks in the stream. The stream is therefore divided
into segments of two seconds. Each is resampled by a stream of its own, which starts a little before
its segment and continues a little after it.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from nacli.audio.resampler import Resampler
from nacli.types import Pcm

SEGMENT_SECONDS = 2
LEAD_SECONDS = 0.05
"""Shortest input before its segment with which a stream starts: longer than soxr's filters."""


class SeekableResampler:
    """Converts a stream of pcm from one sample rate to another, from any sample on. The samples do
    not depend on how the input is cut into blocks.

    Attributes:
        position: number of the next input sample, at the source rate.
        given: number of the next output sample, at the target rate. At the start it is at most
            `first`.
    """

    def __init__(self, source: int, target: int, channels: int, first: int = 0) -> None:
        self._source, self._target, self._channels = source, target, channels
        unit = source // gcd(source, target)  # the lead is whole samples at the target rate, too
        self._lead = unit * -(-int(LEAD_SECONDS * source) // unit)
        self._running: list[_Segment] = []
        self._next = first // (SEGMENT_SECONDS * target)
        if source == target:
            self.position = self.given = first
        else:
            self.position = self._next_start()
            self.given = self._next * SEGMENT_SECONDS * target

    def process(self, pcm: Pcm) -> Pcm:
        """Take pcm [T, C] at the source rate. Return the samples that are ready at the target
        rate."""
        if self._source == self._target:
            self.position += len(pcm)
            return self._count([pcm])
        ready = [pcm[:0]]
        while len(pcm):
            if self.position == self._next_start():
                self._start_segment()
            here, pcm = np.split(pcm, [self._next_start() - self.position])
            self.position += len(here)
            for segment in self._running:
                segment.process(here)
            ready += self._ready()
        return self._count(ready)

    def flush(self) -> Pcm:
        """Return the remaining samples. The stream ends here."""
        for segment in self._running:
            segment.flush()
        none: Pcm = np.zeros((0, self._channels), dtype=np.float32)
        return self._count([none, *(segment.take() for segment in self._running)])

    def _next_start(self) -> int:
        """Return the input sample with which the stream of the next segment starts."""
        return max(0, self._next * SEGMENT_SECONDS * self._source - self._lead)

    def _start_segment(self) -> None:
        lead = self._next * SEGMENT_SECONDS * self._source - self.position
        skip = lead * self._target // self._source
        stream = Resampler(self._source, self._target, self._channels)
        self._running.append(_Segment(stream, skip, SEGMENT_SECONDS * self._target))
        self._next += 1

    def _ready(self) -> list[Pcm]:
        """Return the samples that are ready, in order: of the oldest segment, and of the next one
        when that is complete."""
        ready = []
        while self._running:
            ready.append(self._running[0].take())
            if self._running[0].missing:
                break
            del self._running[0]
        return ready

    def _count(self, blocks: list[Pcm]) -> Pcm:
        """Join blocks of output and count their samples."""
        joined = np.concatenate(blocks)
        self.given += len(joined)
        return joined


class _Segment:
    """One segment: the output of its stream without the first `skip` samples, and no more than
    `missing` samples, which counts down."""

    def __init__(self, stream: Resampler, skip: int, missing: int) -> None:
        self._stream, self._skip, self.missing = stream, skip, missing
        self._kept: list[Pcm] = []

    def process(self, pcm: Pcm) -> None:
        self._keep(self._stream.process(pcm))

    def flush(self) -> None:
        self._keep(self._stream.flush())

    def take(self) -> Pcm:
        """Return the samples since the last call."""
        joined, self._kept = np.concatenate(self._kept), []
        return joined

    def _keep(self, pcm: Pcm) -> None:
        kept = pcm[self._skip :][: self.missing]
        self._skip = max(0, self._skip - len(pcm))
        self.missing -= len(kept)
        self._kept.append(kept)
