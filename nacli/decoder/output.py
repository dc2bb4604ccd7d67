"""Decoded samples at the coded rate to the requested section of the recording, at its own rate."""

from __future__ import annotations

import numpy as np

from nacli.audio import SeekableResampler
from nacli.config import CODED_RATE
from nacli.decoder.synthesis import CodedSound
from nacli.dsp.high_band import RATIO
from nacli.format import StreamInfo
from nacli.types import Floats


class PcmOutput:
    """Resamples, adds the high band, and cuts out the section."""

    def __init__(
        self, stream: StreamInfo, first: int, last: int | None, has_high_band: bool
    ) -> None:
        """The section is samples `first` to `last` at the original rate; None means the end."""
        self.first, self.last = first, last
        ratios = (1, RATIO) if has_high_band else (1,)
        self._bands = [_BandOutput(ratio, stream, first) for ratio in ratios]
        self._given = first

    @property
    def position(self) -> int:
        """The first sample of the coded signal that the section depends on."""
        return min(band.position // band.ratio for band in self._bands)

    def begin(self, sample: int) -> None:
        """Announce which sample of the coded signal comes first; at most `position`."""
        for band in self._bands:
            band.skip(band.position - band.ratio * sample)

    @property
    def done(self) -> bool:
        """Whether the whole section has been given."""
        return self.last is not None and self._given >= self.last

    def count(self, total: int) -> int:
        """Return the samples of the section in a recording of `total` samples."""
        return max(0, (total if self.last is None else min(total, self.last)) - self.first)

    def process(self, sound: CodedSound) -> Floats:
        """Take sound at the coded rate; return the samples [T, C] that it completes, at the
        original rate."""
        for band, pcm in zip(self._bands, sound, strict=False):
            assert pcm is not None, "there is a signal for every band"
            band.process(pcm)
        return self._take(min(band.ready for band in self._bands))

    def finish(self, total: int) -> Floats:
        """Return the last samples [T, C] of the section in a recording of `total` samples."""
        for band in self._bands:
            band.finish()
        return self._take(max(0, self.first + self.count(total) - self._given))

    def _take(self, samples: int) -> Floats:
        if self.last is not None:
            samples = min(samples, self.last - self._given)
        self._given += samples
        pcm = self._bands[0].take(samples)
        for band in self._bands[1:]:
            pcm = pcm + band.take(samples)
        return pcm


class _BandOutput:
    """Resamples one band, which comes at `ratio` times the coded rate, from sample `first` of the
    recording on.

    One hop is held back: only the end of the stream tells how much of it belongs to the recording.
    """

    def __init__(self, ratio: int, stream: StreamInfo, first: int) -> None:
        self.ratio, self._hop, self._first = ratio, ratio * stream.hop, first
        rate, channels = ratio * CODED_RATE, stream.channels
        self._resampler = SeekableResampler(rate, stream.sample_rate, channels, first)
        self.position = self._resampler.position
        self._skip = 0
        self._held: Floats = np.zeros((0, channels), dtype=np.float32)
        self._resampled = self._held

    @property
    def ready(self) -> int:
        """Samples that can be taken."""
        return len(self._resampled)

    def skip(self, samples: int) -> None:
        """Drop the next `samples` samples of the input."""
        self._skip = samples

    def process(self, pcm: Floats) -> None:
        """Take samples [T, C] of the band."""
        pcm, self._skip = pcm[self._skip :], max(0, self._skip - len(pcm))
        joined = np.concatenate([self._held, pcm])
        here, self._held = np.split(joined, [max(0, len(joined) - self._hop)])
        self._keep(self._resampler.process(here))

    def finish(self) -> None:
        """Resample what was held back."""
        self._keep(self._resampler.process(self._held))
        self._keep(self._resampler.flush())

    def take(self, samples: int) -> Floats:
        """Return the next samples, with silence after the end."""
        taken, self._resampled = np.split(self._resampled, [samples])
        return np.pad(taken, ((0, samples - len(taken)), (0, 0)))

    def _keep(self, pcm: Floats) -> None:
        """Append resampled samples from `first` on."""
        start = self._resampler.given - len(pcm)
        kept = pcm[max(0, self._first - start) :]
        self._resampled = np.concatenate([self._resampled, kept])
