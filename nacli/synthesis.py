"""Codes to finished samples at the model's rate, and something to hear where codes are missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nacli.checkpoint import Model
from nacli.entropy import ChannelCodes
from nacli.levels import BANDS
from nacli.postprocess import PostProcess, delayed
from nacli.quantize import Codebooks, dequantize
from nacli.trims import dequantize_trims, span_frames

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

NETWORK_FRAMES = 75
"""Frames that pass through the network at a time, so that long packets need no more memory."""
FADE_FRAMES = 12
FADE_STEPS = 2
"""Concealment: frames until silence, and gain steps (1.5 dB) that each is below the one before."""


class Synthesizer:
    """The Decoder network of one stream with all that follows it, up to the model's rate."""

    def __init__(self, model: Model, codebooks: Codebooks, channels: int) -> None:
        self._networks, self._codebooks = model.networks, codebooks
        self._config, self._hop, self._channels = model.config, model.config.hop, channels
        self._history, self._ahead = self._networks.new_history(), model.config.lookahead
        self._waiting: Integers = np.zeros((2, channels, self._ahead), dtype=np.int32)
        rate = model.config.sample_rate
        self._post = PostProcess(model.postfilter, channels, self._hop, rate)
        shape = (channels, 1, model.config.latent_dim)
        self._latents: Floats = np.zeros(shape, dtype=np.float32)
        self._gains: Integers = np.zeros((channels, 1), dtype=np.int32)
        self._counts = self._gains
        self._trims: Floats = np.zeros((channels, 1, BANDS), dtype=np.float32)

    def play(self, coded: list[ChannelCodes]) -> Iterator[Floats]:
        """The codes of a packet to samples [T, C]. What frame f completes is hop f - 1; what comes
        is before that, by as many frames as the Decoder looks ahead and `PostProcess.DELAY`."""
        frames = len(coded[0].gains)
        trims = np.stack([self._trims_of(channel) for channel in coded])
        for at in range(0, frames, NETWORK_FRAMES):
            part = slice(at, at + NETWORK_FRAMES)
            gains = np.stack([channel.gains[part] for channel in coded])
            counts = np.stack([channel.counts[part] for channel in coded])
            latents = np.stack(
                [dequantize(c.codes[part], c.counts[part], self._codebooks) for c in coded]
            )
            self._latents, self._gains = latents[:, -1:], gains[:, -1:]
            self._counts, self._trims = counts[:, -1:], trims[:, part][:, -1:]
            yield self._run(latents, gains, counts, trims[:, part])

    def _trims_of(self, channel: ChannelCodes) -> Floats:
        """Of the frames of a channel [F, BANDS]."""
        frames, books = len(channel.gains), self._codebooks.trims
        if books is None:
            return np.zeros((frames, BANDS), dtype=np.float32)
        spans = dequantize_trims(
            channel.trims, channel.trim_counts, books, self._config.trim_memory
        )
        return spans.repeat(span_frames(channel.counts, self._config), axis=0)[:frames]

    def conceal(self, frames: int) -> Iterator[Floats]:
        """Samples [T, C] in place of `frames` missing frames: the network goes on with the last
        frame, fading; after that there is silence, and the network forgets."""
        fading = min(frames, FADE_FRAMES)
        steps = FADE_STEPS * np.arange(1, fading + 1)
        gains = np.maximum(self._gains - steps, 0).astype(np.int32)
        if fading == FADE_FRAMES:  # the network may forget all but silence
            gains[:, -1 - self._ahead :] = 0
        counts = np.where(gains > 0, self._counts, 0).astype(np.int32)
        latents = np.where(counts[..., None] > 0, self._latents, 0).astype(np.float32)
        yield self._run(latents, gains, counts, self._trims.repeat(fading, axis=1))
        if frames > fading:
            self._history = self._networks.new_history()
        for at in range(fading, frames, NETWORK_FRAMES):
            silent = np.zeros((self._channels, min(NETWORK_FRAMES, frames - at)), dtype=np.int32)
            pcm = np.zeros((self._channels, silent.shape[1] * self._hop), dtype=np.float32)
            yield self._process(pcm, silent, silent, np.zeros((*silent.shape, BANDS), np.float32))

    def finish(self) -> Floats:
        """The samples [T, C] that are still to come."""
        return np.concatenate([*self._flush(), self._post.finish().T])

    def _flush(self) -> Iterator[Floats]:
        """What the network holds back, with silence after it."""
        frames = self._ahead
        if frames:
            silent = np.zeros((self._channels, frames), dtype=np.int32)
            latents = np.zeros_like(self._latents).repeat(frames, axis=1)
            yield self._run(latents, silent, silent, self._trims.repeat(frames, axis=1))

    def _run(self, latents: Floats, gains: Integers, counts: Integers, trims: Floats) -> Floats:
        """Of gains and stages the filters want those of the frames that come out; trims are for
        what comes out as they come."""
        pcm = self._networks.synthesize(latents, gains, counts, self._history)
        return self._process(pcm, gains, counts, trims)

    def _process(self, pcm: Floats, gains: Integers, counts: Integers, trims: Floats) -> Floats:
        late, self._waiting = delayed(self._waiting, np.stack([gains, counts]))
        return self._post.process(pcm, late[0], late[1], trims).T
