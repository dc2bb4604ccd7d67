"""Resampling that may start anywhere: every sample depends on the input around it alone.

soxr rounds a little differently depending on where in the stream its blocks lie. So the stream is
cut into segments of two seconds, each resampled by a stream of its own that also hears some of the
input before and after its segment.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from nacli.audio.resampler import Resampler
from nacli.types import Pcm

SEGMENT_SECONDS = 2
LEAD_SECONDS = 0.05
"""Input before its segment that a stream hears at least: more than soxr's filters reach."""


class SeekableResampler:
    """A chunk-exact stream of pcm from one sample rate to another, from any sample on.

    Attributes:
        position: the sample at the source rate with which the input has to start, then go on.
        given: the sample at the target rate with which the output starts, then goes on; not above
            the `first` that was asked for.
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
            self.position = self._opening()
            self.given = self._next * SEGMENT_SECONDS * target

    def process(self, pcm: Pcm) -> Pcm:
        """Take pcm [T, C] at the source rate, return what is ready at the target rate."""
        if self._source == self._target:
            self.position += len(pcm)
            return self._count([pcm])
        made = [pcm[:0]]
        while len(pcm):
            if self.position == self._opening():
                self._open()
            here, pcm = np.split(pcm, [self._opening() - self.position])
            self.position += len(here)
            for segment in self._running:
                segment.process(here)
            made += self._ready()
        return self._count(made)

    def flush(self) -> Pcm:
        """Return the rest. The stream ends here."""
        for segment in self._running:
            segment.flush()
        none: Pcm = np.zeros((0, self._channels), dtype=np.float32)
        return self._count([none, *(segment.take() for segment in self._running)])

    def _opening(self) -> int:
        """Where in the input the stream of the next segment starts to listen."""
        return max(0, self._next * SEGMENT_SECONDS * self._source - self._lead)

    def _open(self) -> None:
        heard = self._next * SEGMENT_SECONDS * self._source - self.position
        skip = heard * self._target // self._source
        stream = Resampler(self._source, self._target, self._channels)
        self._running.append(_Segment(stream, skip, SEGMENT_SECONDS * self._target))
        self._next += 1

    def _ready(self) -> list[Pcm]:
        """What the oldest segments have made; the next one's turn comes when one is complete."""
        made = []
        while self._running:
            made.append(self._running[0].take())
            if self._running[0].missing:
                break
            del self._running[0]
        return made

    def _count(self, made: list[Pcm]) -> Pcm:
        joined = np.concatenate(made)
        self.given += len(joined)
        return joined


class _Segment:
    """The samples of one segment: what its stream makes, after `skip` and up to `missing`."""

    def __init__(self, stream: Resampler, skip: int, missing: int) -> None:
        self._stream, self._skip, self.missing = stream, skip, missing
        self._made: list[Pcm] = []

    def process(self, pcm: Pcm) -> None:
        self._keep(self._stream.process(pcm))

    def flush(self) -> None:
        self._keep(self._stream.flush())

    def take(self) -> Pcm:
        """What has been made since the last call."""
        joined, self._made = np.concatenate(self._made), []
        return joined

    def _keep(self, pcm: Pcm) -> None:
        kept = pcm[self._skip :][: self.missing]
        self._skip = max(0, self._skip - len(pcm))
        self.missing -= len(kept)
        self._made.append(kept)
