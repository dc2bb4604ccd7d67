"""Post-processing: what happens to samples after the network.

In order: the constant offset is removed, noise between harmonics is lowered, band energies are
corrected, silence is made silent, and peaks are clipped to full scale.
"""

from __future__ import annotations

import numpy as np

from nacli.dsp.dc_blocker import DcBlocker
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.pitch_filter import PitchFilter
from nacli.envelope.corrections import CorrectionDecoder
from nacli.envelope.post_filter import GainNetwork, PostFilter
from nacli.timing import PITCH_FILTER_DELAY, POST_PROCESSING_DELAY
from nacli.types import Floats, Integers


class PostProcess:
    """The filter chain of one stream at the coded rate, with its state. Its output is delayed by
    `DELAY` hops."""

    DELAY = POST_PROCESSING_DELAY
    FADE = 64
    """Samples of the ramp between sound and silence."""

    def __init__(
        self,
        network: GainNetwork | None,
        corrections: CorrectionDecoder,
        channels: int,
        hop: int,
        sample_rate: int,
    ) -> None:
        """`network` is the post-filter's, if the model has one; `corrections` decodes the envelope
        corrections of the hops that leave the pitch filter."""
        self._hop, self._corrections = hop, corrections
        self._dc_blocker, self._pitch_filter = DcBlocker(channels), PitchFilter(channels, hop)
        self._meter = BandEnergyMeter(channels, bark_spectra(hop, sample_rate))
        self._post_filter = PostFilter(network, channels, hop, sample_rate)
        self._gain_before = np.zeros((channels, 1), dtype=np.int32)
        self._pending_gains = np.zeros((channels, self.DELAY), dtype=np.int32)
        self._pending_counts = np.zeros((channels, PITCH_FILTER_DELAY), dtype=np.int32)

    def process(self, pcm: Floats, gains: Integers, counts: Integers) -> Floats:
        """Filter network output [C, F * hop], whose frames have these gain indices and stage counts
        [C, F]; return finished samples of the same shape."""
        gains, self._pending_gains = delayed(self._pending_gains, gains)
        counts, self._pending_counts = delayed(self._pending_counts, counts)
        decoded = self._pitch_filter.process(self._dc_blocker.process(pcm))
        corrections = self._corrections.take(self._meter.measure(decoded))
        decoded = self._post_filter.process(decoded, counts, corrections)
        return np.clip(decoded * self._gate(gains), -1.0, 1.0)

    def finish(self) -> Floats:
        """Return the samples that the filters still hold [C, DELAY * hop]."""
        silent = np.zeros_like(self._pending_gains)
        pcm = np.zeros((len(silent), self.DELAY * self._hop), dtype=np.float32)
        return self.process(pcm, silent, silent)

    def _gate(self, gains: Integers) -> Floats:
        """Return an envelope [C, F * hop]: 1 in hops whose two frames are not silent, else 0, with
        ramps in the silent hops beside.

        The output of frame f is hop f - 1, in which frames f - 1 and f overlap, so a sound in it is
        in both frames. Where only one of them is not silent, the network's output is an echo of the
        hop beside.
        """
        sounding = np.concatenate([self._gain_before, gains], axis=1) > 0
        self._gain_before = gains[:, -1:]
        before, now = sounding[:, :-1, None], sounding[:, 1:, None]
        rise = np.zeros(self._hop, dtype=np.float32)
        rise[-self.FADE :] = np.arange(1, self.FADE + 1) / self.FADE
        envelope = np.where(before, np.where(now, np.float32(1), rise[::-1]), rise * now)
        return envelope.reshape(len(gains), -1).astype(np.float32)


def delayed(pending: Integers, values: Integers) -> tuple[Integers, Integers]:
    """Delay values [..., F] by the pending ones [..., n]: return the next F values [..., F], and
    those that are pending now [..., n]."""
    joined = np.concatenate([pending, values], axis=-1)
    return joined[..., : values.shape[-1]], joined[..., values.shape[-1] :]
