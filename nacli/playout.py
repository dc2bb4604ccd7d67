"""Decoded samples at the model's rate to the part of the recording that is wanted, at its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli import channels as channel_modes
from nacli.audio import SeekableResampler
from nacli.format import CODED_RATE, StreamInfo

Floats = NDArray[np.float32]


class Playout:
    """Resamples, cuts to samples `first` to `last` (the end where it is None), and unmixes.

    The first sample that `process` takes is sample `position` of the coded signal.
    """

    def __init__(self, stream: StreamInfo, first: int, last: int | None) -> None:
        self._stream, self.first, self.last = stream, first, last
        rate = stream.sample_rate
        self._resampler = SeekableResampler(CODED_RATE, rate, stream.channels, first)
        self._given = first
        self._held: Floats = np.zeros((0, stream.channels), dtype=np.float32)
        self.position = self._resampler.position

    @property
    def done(self) -> bool:
        """Whether all that is wanted has been given."""
        return self.last is not None and self._given >= self.last

    def count(self, total: int) -> int:
        """Samples that are wanted of a recording of `total` samples."""
        return max(0, (total if self.last is None else min(total, self.last)) - self.first)

    def process(self, pcm: Floats) -> Floats:
        """Coded channels [T, C] at the model's rate to samples [T', C] at the original one. One hop
        is held back: only the end of the stream tells how much of it is sound."""
        joined = np.concatenate([self._held, pcm])
        cut = max(0, len(joined) - self._stream.hop)
        self._held = joined[cut:]
        return self._wanted(self._resampler.process(joined[:cut]))

    def finish(self, total: int) -> Floats:
        """The last samples of a recording of `total` samples, exactly."""
        missing = max(0, self.first + self.count(total) - self._given)
        held = self._wanted(self._resampler.process(self._held))
        pcm = np.concatenate([held, self._wanted(self._resampler.flush())])
        return np.pad(pcm, ((0, max(0, missing - len(pcm))), (0, 0)))[:missing]

    def _wanted(self, pcm: Floats) -> Floats:
        """The part that is wanted of what the resampler has just made."""
        before = self._resampler.given - len(pcm)
        pcm = pcm[max(0, self._given - before) :]
        if self.last is not None:
            pcm = pcm[: self.last - self._given]
        self._given += len(pcm)
        return channel_modes.unmix(pcm, self._stream.channel_mode)
