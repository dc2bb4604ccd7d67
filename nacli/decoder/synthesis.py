"""The second half of synthesis: frames of the Decoder network to finished samples at the coded
rate, by the filters after the network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nacli.checkpoint import Model
from nacli.decoder.post_processing import DecodedFrames, PostProcess
from nacli.dsp.high_band import frame_levels
from nacli.dsp.high_band_synthesis import HighBandSynthesizer
from nacli.entropy import ChannelCodes
from nacli.envelope.corrections import CorrectionDecoder
from nacli.timing import decoder_delay
from nacli.types import Floats, Integers


class CodedSound(NamedTuple):
    """Channels [T, C] at the coded rate, and their high band [RATIO * T, C] if the stream has
    one."""

    pcm: Floats
    high_band: Floats | None


class Synthesizer:
    """Turns the frames of one stream into samples, in order, with the corrections and the high band
    of the packets that they come from."""

    def __init__(self, model: Model, channels: int, first_hop: int, high_band: bool) -> None:
        """`first_hop` is the number of the hop that is output first; `high_band` says whether the
        stream has a high band."""
        config = model.config
        self._corrections = CorrectionDecoder(
            config, model.codebooks.corrections, model.predictor, channels
        )
        self.post_processing = PostProcess(
            config, model.filter_network, self._corrections, channels
        )
        self._high_band: HighBandSynthesizer | None = None
        if high_band:
            delay = decoder_delay(config)
            self._high_band = HighBandSynthesizer(channels, config.hop, first_hop, delay)
        self._levels: Integers | None = None

    def start(self, coded: list[ChannelCodes]) -> None:
        """Begin a packet with these codes by channel, whose frames come next."""
        self._corrections.start(coded)
        if self._high_band:
            self._levels = np.stack([frame_levels(c.high, c.counts) for c in coded])

    def process(self, frames: DecodedFrames) -> CodedSound:
        """Return samples of the next frames, `timing.decoder_delay` hops older than these."""
        levels, count = None, frames.gains.shape[1]
        if self._levels is not None and self._levels.size:
            levels, self._levels = np.split(self._levels, [count], axis=1)
        return self._with_high_band(self.post_processing.process(frames), levels)

    def finish(self) -> CodedSound:
        """Return the last samples, which the filters hold back."""
        return self._with_high_band(self.post_processing.finish())

    def _with_high_band(self, pcm: Floats, levels: Integers | None = None) -> CodedSound:
        """Add the high band, for whose later hops `levels` [C, F, BANDS] have come, to finished
        samples [C, T]."""
        high = self._high_band.process(pcm, levels).T if self._high_band else None
        return CodedSound(pcm.T, high)
