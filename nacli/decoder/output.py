"""Decoded samples at the model's rate to the part of the recording that is wanted, at its own."""

from __future__ import annotations

import numpy as np

from nacli.audio import SeekableResampler
from nacli.config import CODED_RATE
from nacli.decoder.synthesis import CodedSound
from nacli.dsp import mid_side
from nacli.dsp.high_band import RATIO
from nacli.format import ChannelMode, StreamInfo
from nacli.types import Floats


class PcmOutput:
    """Resamples, adds the high band, cuts to samples `first` to `last` (the end where it is None),
    and unmixes."""

    def __init__(self, stream: StreamInfo, first: int, last: int | None, high: bool) -> None:
        """`high` says whether the sound has a high band."""
        self._stream, self.first, self.last = stream, first, last
        ratios = (1, RATIO) if high else (1,)
        self._layers = [_Layer(ratio, stream, first) for ratio in ratios]
        self._given = first

    @property
    def position(self) -> int:
        """The first sample of the coded signal that it has to know."""
        return min(layer.position // layer.ratio for layer in self._layers)

    def begin(self, sample: int) -> None:
        """Say which sample of the coded signal comes first; not after `position`."""
        for layer in self._layers:
            layer.skip(layer.position - layer.ratio * sample)

    @property
    def done(self) -> bool:
        """Whether all that is wanted has been given."""
        return self.last is not None and self._given >= self.last

    def count(self, total: int) -> int:
        """Samples that are wanted of a recording of `total` samples."""
        return max(0, (total if self.last is None else min(total, self.last)) - self.first)

    def process(self, sound: CodedSound) -> Floats:
        """Coded channels to samples [T, C] at the original rate."""
        for layer, pcm in zip(self._layers, sound, strict=False):
            assert pcm is not None, "there is one for every layer"
            layer.process(pcm)
        return self._take(min(layer.ready for layer in self._layers))

    def finish(self, total: int) -> Floats:
        """The last samples of a recording of `total` samples, exactly."""
        for layer in self._layers:
            layer.finish()
        return self._take(max(0, self.first + self.count(total) - self._given))

    def _take(self, samples: int) -> Floats:
        if self.last is not None:
            samples = min(samples, self.last - self._given)
        self._given += samples
        pcm = self._layers[0].take(samples)
        for layer in self._layers[1:]:
            pcm = pcm + layer.take(samples)
        stereo = self._stream.channel_mode == ChannelMode.MID_SIDE
        return mid_side.unmix(pcm) if stereo else pcm


class _Layer:
    """Samples that come at `ratio` times the model's rate to those of the recording from `first`
    on. One hop is held back: only the end of the stream tells how much of it is sound."""

    def __init__(self, ratio: int, stream: StreamInfo, first: int) -> None:
        self.ratio, self._hop, self._first = ratio, ratio * stream.hop, first
        rate, channels = ratio * CODED_RATE, stream.channels
        self._resampler = SeekableResampler(rate, stream.sample_rate, channels, first)
        self.position = self._resampler.position
        self._skip = 0
        self._held: Floats = np.zeros((0, channels), dtype=np.float32)
        self._made = self._held

    @property
    def ready(self) -> int:
        """Samples that may be taken."""
        return len(self._made)

    def skip(self, samples: int) -> None:
        """Leave out so many of those that come."""
        self._skip = samples

    def process(self, pcm: Floats) -> None:
        pcm, self._skip = pcm[self._skip :], max(0, self._skip - len(pcm))
        joined = np.concatenate([self._held, pcm])
        here, self._held = np.split(joined, [max(0, len(joined) - self._hop)])
        self._keep(self._resampler.process(here))

    def finish(self) -> None:
        self._keep(self._resampler.process(self._held))
        self._keep(self._resampler.flush())

    def take(self, samples: int) -> Floats:
        """The next samples, with silence after the end."""
        taken, self._made = np.split(self._made, [samples])
        return np.pad(taken, ((0, samples - len(taken)), (0, 0)))

    def _keep(self, made: Floats) -> None:
        start = self._resampler.given - len(made)
        self._made = np.concatenate([self._made, made[max(0, self._first - start) :]])
