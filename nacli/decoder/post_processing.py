"""What happens to decoded samples after the network: no DC, clear harmonics, bands at their levels,
silent silence, peaks held."""

from __future__ import annotations

import numpy as np

from nacli.dsp.dc_blocker import DcBlocker
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.pitch_filter import PitchFilter
from nacli.envelope.corrections import CorrectionDecoder
from nacli.envelope.post_filter import Gains, PostFilter
from nacli.timing import PITCH_FILTER_DELAY, POST_PROCESSING_DELAY
from nacli.types import Floats, Integers


class PostProcess:
    """The chain for one stream at the model's rate; keeps what its filters remember. What it gives
    is `DELAY` hops late."""

    DELAY = POST_PROCESSING_DELAY
    FADE = 64
    """Samples of the ramp where sound joins silence."""

    def __init__(
        self,
        gains: Gains | None,
        corrections: CorrectionDecoder,
        channels: int,
        hop: int,
        sample_rate: int,
    ) -> None:
        """`gains` are the post-filter's, where there is one; `corrections` gives those of each hop that
        leaves the harmonic filter."""
        self._hop, self._corrections = hop, corrections
        self._offset, self._harmonics = DcBlocker(channels), PitchFilter(channels, hop)
        self._meter = BandEnergyMeter(channels, bark_spectra(hop, sample_rate))
        self._levels = PostFilter(gains, channels, hop, sample_rate)
        self._gain_before = np.zeros((channels, 1), dtype=np.int32)
        self._gains_ahead = np.zeros((channels, self.DELAY), dtype=np.int32)
        self._counts_ahead = np.zeros((channels, PITCH_FILTER_DELAY), dtype=np.int32)

    def process(self, pcm: Floats, gains: Integers, counts: Integers) -> Floats:
        """Network output [C, F * hop] with its gains and stages [C, F] to finished samples, same
        shape."""
        gains, self._gains_ahead = delayed(self._gains_ahead, gains)
        counts, self._counts_ahead = delayed(self._counts_ahead, counts)
        heard = self._harmonics.process(self._offset.process(pcm))
        corrections = self._corrections.take(self._meter.measure(heard))
        heard = self._levels.process(heard, counts, corrections)
        return np.clip(heard * self._gate(gains), -1.0, 1.0)

    def finish(self) -> Floats:
        """The samples that are still to come [C, DELAY * hop]."""
        none = np.zeros_like(self._gains_ahead)
        pcm = np.zeros((len(none), self.DELAY * self._hop), dtype=np.float32)
        return self.process(pcm, none, none)

    def _gate(self, gains: Integers) -> Floats:
        """Envelope [C, F * hop]: 1 where both frames of a hop sound, else 0, with ramps in the
        silent hops beside.

        The output of frame f is hop f - 1, which frames f - 1 and f overlap: a sound in it would
        be in both. Where only one sounds, the network's output is its echo of a hop beside.
        """
        sounds = np.concatenate([self._gain_before, gains], axis=1) > 0
        self._gain_before = gains[:, -1:]
        before, now = sounds[:, :-1, None], sounds[:, 1:, None]
        rise = np.zeros(self._hop, dtype=np.float32)
        rise[-self.FADE :] = np.arange(1, self.FADE + 1) / self.FADE
        envelope = np.where(before, np.where(now, np.float32(1), rise[::-1]), rise * now)
        return envelope.reshape(len(gains), -1).astype(np.float32)


def delayed(before: Integers, now: Integers) -> tuple[Integers, Integers]:
    """Values [..., F] as late as there are any from before, and those that wait."""
    joined = np.concatenate([before, now], axis=-1)
    return joined[..., : now.shape[-1]], joined[..., now.shape[-1] :]
