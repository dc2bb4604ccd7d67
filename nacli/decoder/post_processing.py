"""Post-processing: what happens to samples after the network.

In order: the constant offset is removed, band energies are corrected, the adaptive filter lowers
coding noise and raises the spectral contrast, silence is made silent, and peaks are clipped to full
scale.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nacli.adaptive_filter import AdaptiveFilter, FilterNetwork
from nacli.config import ModelConfig
from nacli.dsp.dc_blocker import DcBlocker
from nacli.envelope.correction_filter import CorrectionFilter
from nacli.envelope.corrections import CorrectionDecoder
from nacli.timing import CORRECTION_FILTER_DELAY, POST_PROCESSING_DELAY
from nacli.types import Floats, Integers


class DecodedFrames(NamedTuple):
    """Frames that the Decoder network outputs: samples [C, F * hop], features [C, F, width], gain
    indices and stage counts [C, F]."""

    pcm: Floats
    features: Floats
    gains: Integers
    counts: Integers

    @classmethod
    def silence(cls, config: ModelConfig, channels: int, frames: int) -> DecodedFrames:
        """Return silent frames, for which the network does not run."""
        pcm = np.zeros((channels, frames * config.hop), dtype=np.float32)
        features = np.zeros((channels, frames, config.width), dtype=np.float32)
        silent = np.zeros((channels, frames), dtype=np.int32)
        return cls(pcm, features, silent, silent)


class PostProcess:
    """The filter chain of one stream at the coded rate, with its state. Its output is delayed by
    `DELAY` hops."""

    DELAY = POST_PROCESSING_DELAY
    FADE = 64
    """Samples of the ramp between sound and silence."""

    def __init__(
        self,
        config: ModelConfig,
        network: FilterNetwork | None,
        corrections: CorrectionDecoder,
        channels: int,
    ) -> None:
        """`network` is the adaptive filter's, if the model has one; `corrections` decodes the
        envelope corrections of the hops that leave the DC blocker."""
        self._config, self._hop, self._corrections = config, config.hop, corrections
        self._dc_blocker = DcBlocker(channels)
        self.correction_filter = CorrectionFilter(channels, config.hop, config.sample_rate)
        self.adaptive_filter = AdaptiveFilter(network, channels, config.hop)
        """Two stages. Training puts stages that record in their places."""
        self._gain_before = np.zeros((channels, 1), dtype=np.int32)
        self._pending_gains = np.zeros((channels, self.DELAY), dtype=np.int32)
        late = DecodedFrames.silence(config, channels, CORRECTION_FILTER_DELAY)
        self._pending_features, self._pending_counts = late.features, late.counts

    def process(self, frames: DecodedFrames) -> Floats:
        """Return finished samples [C, F * hop] of the next frames."""
        gains, self._pending_gains = delayed(self._pending_gains, frames.gains)
        counts, self._pending_counts = delayed(self._pending_counts, frames.counts)
        features, self._pending_features = delayed(self._pending_features, frames.features)
        decoded = self._dc_blocker.process(frames.pcm)
        corrections = self._corrections.take(frames.gains.shape[1])
        decoded = self.correction_filter.process(decoded, corrections)
        decoded = self.adaptive_filter.process(decoded, features, counts)
        return np.clip(decoded * self._gate(gains), -1.0, 1.0)

    def finish(self) -> Floats:
        """Return the samples that the filters still hold [C, DELAY * hop]."""
        channels = len(self._pending_gains)
        return self.process(DecodedFrames.silence(self._config, channels, self.DELAY))

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


def delayed(pending: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Delay the values [C, F, ...] of frames by the pending ones [C, n, ...]: return the next F
    values, and those that are pending now."""
    joined = np.concatenate([pending, values], axis=1)
    return joined[:, : values.shape[1]], joined[:, values.shape[1] :]
