"""Synthesis: codes to finished samples at the coded rate, by the Decoder network and the filters
after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nacli.checkpoint import Model
from nacli.decoder.concealment import FrameInputs, fade
from nacli.decoder.post_processing import DecodedFrames, PostProcess, delayed
from nacli.dsp.high_band import frame_levels
from nacli.dsp.high_band_synthesis import HighBandSynthesizer
from nacli.entropy import ChannelCodes
from nacli.envelope.corrections import CorrectionDecoder
from nacli.quantizer.rvq import dequantize
from nacli.timing import decoder_delay
from nacli.types import Floats, Integers

NETWORK_FRAMES = 76
"""Frames that pass through the network at a time, in whole spans: long packets need no more
memory than short ones."""


class CodedSound(NamedTuple):
    """Channels [T, C] at the coded rate, and their high band [RATIO * T, C] if the stream has
    one."""

    pcm: Floats
    high_band: Floats | None


class Synthesizer:
    """Synthesises one stream: codes of packets, or gaps, to samples, in order."""

    def __init__(self, model: Model, channels: int, first_hop: int, high_band: bool) -> None:
        """`first_hop` is the number of the hop that is output first; `high_band` says whether the
        stream has a high band."""
        config = model.config
        self._networks, self._codebooks, self._config = model.networks, model.codebooks, config
        self._history = self._networks.new_history()
        self._pending: Integers = np.zeros((channels, config.lookahead, 2), dtype=np.int32)
        self._corrections = CorrectionDecoder(
            config, model.codebooks.corrections, model.predictor, channels
        )
        self.post_processing = PostProcess(
            config, model.filter_network, self._corrections, channels
        )
        self._last = FrameInputs.silence(channels, 1, config.latent_dim)
        self._high_band: HighBandSynthesizer | None = None
        if high_band:
            delay = decoder_delay(config)
            self._high_band = HighBandSynthesizer(channels, config.hop, first_hop, delay)

    def decode(self, coded: list[ChannelCodes]) -> Iterator[CodedSound]:
        """Decode the codes of a packet, by channel. The samples are `timing.decoder_delay` hops
        older than the packet's frames."""
        self._corrections.start(coded)
        levels = None
        if self._high_band:
            levels = np.stack([frame_levels(c.high, c.counts) for c in coded])
        span = self._config.correction_frames
        size = max(1, NETWORK_FRAMES // span) * span
        for at in range(0, len(coded[0].gains), size):
            part = slice(at, at + size)
            inputs = self._dequantized(coded, part)
            self._last = inputs.last
            yield self._run(inputs, None if levels is None else levels[:, part])

    def conceal(self, frames: int) -> Iterator[CodedSound]:
        """Conceal `frames` missing frames: the last sound fades; then there is silence, and the
        network starts afresh."""
        inputs = fade(self._last, frames, self._config.lookahead)
        yield self._run(inputs)
        faded = inputs.gains.shape[1]
        if frames > faded:
            self._history = self._networks.new_history()
        for at in range(faded, frames, NETWORK_FRAMES):
            yield self._silence(min(NETWORK_FRAMES, frames - at))

    def finish(self) -> Iterator[CodedSound]:
        """Yield the last samples, which the network and the filters hold back."""
        if self._config.lookahead:
            channels, _, dim = self._last.latents.shape
            yield self._run(FrameInputs.silence(channels, self._config.lookahead, dim))
        yield self._with_high_band(self.post_processing.finish())

    def _dequantized(self, coded: list[ChannelCodes], part: slice) -> FrameInputs:
        """Return the inputs of the network for `part` of the frames of a packet."""
        return FrameInputs(
            np.stack([dequantize(c.codes[part], c.counts[part], self._codebooks) for c in coded]),
            np.stack([channel.gains[part] for channel in coded]),
            np.stack([channel.counts[part] for channel in coded]),
        )

    def _run(self, inputs: FrameInputs, levels: Integers | None = None) -> CodedSound:
        """Pass inputs through the network and the filters. `levels` are those of the high band
        [C, F, BANDS], if there are any."""
        arrays = (inputs.latents, inputs.gains, inputs.counts)
        pcm, features = self._networks.synthesize_with_features(*arrays, self._history)
        return self._process(DecodedFrames(pcm, features, inputs.gains, inputs.counts), levels)

    def _silence(self, frames: int) -> CodedSound:
        """Pass silent frames through the filters; the network is not needed."""
        channels = self._last.gains.shape[0]
        return self._process(DecodedFrames.silence(self._config, channels, frames))

    def _process(self, frames: DecodedFrames, levels: Integers | None = None) -> CodedSound:
        """Filter what the network outputs. `frames` has the gains and stage counts of the frames
        that it took: those of the frames that it outputs came `lookahead` frames before."""
        taken = np.stack([frames.gains, frames.counts], axis=2)
        output, self._pending = delayed(self._pending, taken)
        frames = frames._replace(gains=output[..., 0], counts=output[..., 1])
        pcm = self.post_processing.process(frames)
        return self._with_high_band(pcm, levels)

    def _with_high_band(self, pcm: Floats, levels: Integers | None = None) -> CodedSound:
        """Add the high band, for whose later hops `levels` [C, F, BANDS] have come, to finished
        samples [C, T]."""
        high = self._high_band.process(pcm, levels).T if self._high_band else None
        return CodedSound(pcm.T, high)
