"""Codes to finished samples at the model's rate, and something to hear where codes are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.decoder.post_processing import PostProcess, delayed
from nacli.dsp.high_band import HighBandSynthesizer, frame_levels
from nacli.entropy import ChannelCodes
from nacli.envelope.corrections import CorrectionDecoder, corrections_delay
from nacli.quantizer.rvq import Codebooks, dequantize
from nacli.types import Floats, Integers

NETWORK_FRAMES = 76
"""Frames that pass through the network at a time, in whole spans, so that long packets need no more
memory."""
FADE_FRAMES = 12
FADE_STEPS = 2
"""Concealment: frames until silence, and gain steps (1.5 dB) that each is below the one before."""


class Sound(NamedTuple):
    """Samples [T, C] at the model's rate, and those of the high band that come with them
    [RATIO * T, C], where there is one."""

    pcm: Floats
    high: Floats | None


class Synthesizer:
    """The Decoder network of one stream with all that follows it, up to the model's rate."""

    def __init__(
        self, model: Model, codebooks: Codebooks, channels: int, first_hop: int, high: bool
    ) -> None:
        """`first_hop` is the number of the hop that it makes first; `high` says whether the stream
        has a high band."""
        self._networks, self._codebooks = model.networks, codebooks
        self._config, self._hop, self._channels = model.config, model.config.hop, channels
        self._history, self._ahead = self._networks.new_history(), model.config.lookahead
        self._waiting: Integers = np.zeros((2, channels, self._ahead), dtype=np.int32)
        rate, books = model.config.sample_rate, codebooks.corrections
        self._corrections = CorrectionDecoder(model.config, books, model.prediction, channels)
        self._post = PostProcess(model.postfilter, self._corrections, channels, self._hop, rate)
        shape = (channels, 1, model.config.latent_dim)
        self._latents: Floats = np.zeros(shape, dtype=np.float32)
        self._gains: Integers = np.zeros((channels, 1), dtype=np.int32)
        self._counts = self._gains
        self._high = (
            HighBandSynthesizer(channels, self._hop, first_hop, late(model.config))
            if high
            else None
        )

    def play(self, coded: list[ChannelCodes]) -> Iterator[Sound]:
        """The codes of a packet to samples. What frame f completes is hop f - 1; what comes is
        before that, by as many frames as the Decoder looks ahead and `PostProcess.DELAY`."""
        self._corrections.start(coded)
        high = np.stack([frame_levels(c.high, c.counts) for c in coded]) if self._high else None
        span = self._config.correction_frames
        size = max(1, NETWORK_FRAMES // span) * span
        for at in range(0, len(coded[0].gains), size):
            part = slice(at, at + size)
            gains = np.stack([channel.gains[part] for channel in coded])
            counts = np.stack([channel.counts[part] for channel in coded])
            latents = np.stack(
                [dequantize(c.codes[part], c.counts[part], self._codebooks) for c in coded]
            )
            self._latents, self._gains = latents[:, -1:], gains[:, -1:]
            self._counts = counts[:, -1:]
            yield self._run(latents, gains, counts, None if high is None else high[:, part])

    def conceal(self, frames: int) -> Iterator[Sound]:
        """Samples in place of `frames` missing frames: the network goes on with the last
        frame, fading; after that there is silence, and the network forgets."""
        fading = min(frames, FADE_FRAMES)
        steps = FADE_STEPS * np.arange(1, fading + 1)
        gains = np.maximum(self._gains - steps, 0).astype(np.int32)
        if fading == FADE_FRAMES:  # the network may forget all but silence
            gains[:, -1 - self._ahead :] = 0
        counts = np.where(gains > 0, self._counts, 0).astype(np.int32)
        latents = np.where(counts[..., None] > 0, self._latents, 0).astype(np.float32)
        yield self._run(latents, gains, counts)
        if frames > fading:
            self._history = self._networks.new_history()
        for at in range(fading, frames, NETWORK_FRAMES):
            silent = np.zeros((self._channels, min(NETWORK_FRAMES, frames - at)), dtype=np.int32)
            pcm = np.zeros((self._channels, silent.shape[1] * self._hop), dtype=np.float32)
            yield self._process(pcm, silent, silent)

    def finish(self) -> Iterator[Sound]:
        """The samples that are still to come: what the network holds back, with silence after it,
        and the filters."""
        frames = self._ahead
        if frames:
            silent = np.zeros((self._channels, frames), dtype=np.int32)
            latents = np.zeros_like(self._latents).repeat(frames, axis=1)
            yield self._run(latents, silent, silent)
        yield self._with_high(self._post.finish())

    def _run(
        self, latents: Floats, gains: Integers, counts: Integers, high: Integers | None = None
    ) -> Sound:
        """Of gains and stages the filters want those of the frames that come out."""
        pcm = self._networks.synthesize(latents, gains, counts, self._history)
        return self._process(pcm, gains, counts, high)

    def _process(
        self, pcm: Floats, gains: Integers, counts: Integers, high: Integers | None = None
    ) -> Sound:
        own, self._waiting = delayed(self._waiting, np.stack([gains, counts]))
        return self._with_high(self._post.process(pcm, own[0], own[1]), high)

    def _with_high(self, pcm: Floats, levels: Integers | None = None) -> Sound:
        """Finished samples [C, T] with those of the high band; `levels` [C, F, ...] came with them,
        where any did."""
        return Sound(pcm.T, self._high.process(pcm, levels).T if self._high else None)


def late(config: ModelConfig) -> int:
    """Hops by which what comes with a frame is earlier than the frame's number says."""
    return 1 + config.lookahead + PostProcess.DELAY


def first_packet(hop: int, frames_per_packet: int, config: ModelConfig) -> int:
    """The packet from which all must be decoded that samples from this hop on depend on. What comes
    with frame f is hop f - 1, some hops late, with the corrections of frame f; and each of these depends
    on those before it in its packet."""
    if config.decoder_context is None:
        return 0
    behind = 1 + corrections_delay(config)
    frame = max(0, hop - PostProcess.corrections_reach() + behind)
    heard = frame // frames_per_packet * frames_per_packet - behind - PostProcess.reach(config.hop)
    return max(0, heard + 1 - config.decoder_context) // frames_per_packet
