"""The first half of synthesis: codes of packets, or gaps, to frames of the Decoder network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nacli.checkpoint import Model
from nacli.decoder.concealment import FrameInputs, fade
from nacli.decoder.parts import Coded, Part
from nacli.decoder.post_processing import DecodedFrames, delayed
from nacli.entropy import ChannelCodes
from nacli.quantizer.rvq import dequantize
from nacli.types import Integers

NETWORK_FRAMES = 152
"""Frames that pass through the network at a time, in whole spans: long packets need no more
memory than short ones."""


class NetworkDecoder:
    """Runs the Decoder network on one stream, in order."""

    def __init__(self, model: Model, channels: int) -> None:
        config = model.config
        self._networks, self._codebooks, self._config = model.networks, model.codebooks, config
        self._history = self._networks.new_history()
        self._pending: Integers = np.zeros((channels, config.lookahead, 2), dtype=np.int32)
        self._last = FrameInputs.silence(channels, 1, config.latent_dim)

    def decode(self, part: Part) -> Iterator[DecodedFrames]:
        """Yield the frames of a part."""
        if isinstance(part, Coded):
            return self.decode_codes(part.codes.channels)
        return self._conceal(part.concealed)

    def decode_codes(self, coded: list[ChannelCodes]) -> Iterator[DecodedFrames]:
        """Yield the frames of the codes of a packet, by channel."""
        span = self._config.correction_frames
        size = max(1, NETWORK_FRAMES // span) * span
        for at in range(0, len(coded[0].gains), size):
            inputs = self._dequantized(coded, slice(at, at + size))
            self._last = inputs.last
            yield self._run(inputs)

    def finish(self) -> Iterator[DecodedFrames]:
        """Yield the last frames, for which the network looked ahead."""
        if self._config.lookahead:
            channels, _, dim = self._last.latents.shape
            yield self._run(FrameInputs.silence(channels, self._config.lookahead, dim))

    def _conceal(self, frames: int) -> Iterator[DecodedFrames]:
        """Conceal `frames` missing frames: the last sound fades; then there is silence, and the
        network starts afresh."""
        if not frames:
            return
        inputs = fade(self._last, frames, self._config.lookahead)
        yield self._run(inputs)
        faded = inputs.gains.shape[1]
        if frames > faded:
            self._history = self._networks.new_history()
        for at in range(faded, frames, NETWORK_FRAMES):
            yield self._silence(min(NETWORK_FRAMES, frames - at))

    def _dequantized(self, coded: list[ChannelCodes], part: slice) -> FrameInputs:
        """Return the inputs of the network for `part` of the frames of a packet."""
        return FrameInputs(
            np.stack([dequantize(c.codes[part], c.counts[part], self._codebooks) for c in coded]),
            np.stack([channel.gains[part] for channel in coded]),
            np.stack([channel.counts[part] for channel in coded]),
        )

    def _run(self, inputs: FrameInputs) -> DecodedFrames:
        arrays = (inputs.latents, inputs.gains, inputs.counts)
        pcm, features = self._networks.synthesize_with_features(*arrays, self._history)
        return self._aligned(DecodedFrames(pcm, features, inputs.gains, inputs.counts))

    def _silence(self, frames: int) -> DecodedFrames:
        """Return silent frames, for which the network need not run."""
        channels = self._last.gains.shape[0]
        return self._aligned(DecodedFrames.silence(self._config, channels, frames))

    def _aligned(self, frames: DecodedFrames) -> DecodedFrames:
        """Delay the gains and stage counts of the frames that the network took to those that it
        outputs, which came `lookahead` frames before."""
        taken = np.stack([frames.gains, frames.counts], axis=2)
        output, self._pending = delayed(self._pending, taken)
        return frames._replace(gains=output[..., 0], counts=output[..., 1])
