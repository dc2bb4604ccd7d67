"""Start of a training from nothing: band scale, and codebooks by k-means."""

from __future__ import annotations

import torch
from torch import Tensor

from nacli.networks.torch_engine import History, compress, emphasis
from training.codec import Codec
from training.corpus.sampler import Sampler

AUDIBLE_GAIN = 20
"""Gain index under which frames are too quiet to fit codebooks to."""
BATCH = 16


@torch.no_grad()
def start_latents(codec: Codec, sampler: Sampler, batch_frames: int, count: int = 64_000) -> None:
    """Set the band scale, then the codebooks of latents, from `count` audible frames of the
    untrained Encoder.

    The untrained codec is an exact transform. `batch_frames` is the number of frames in a batch of
    the training.
    """
    collected: list[Tensor] = []
    while sum(map(len, collected)) < count:
        pcm = sampler.batch(BATCH)
        coefficients = codec.encoder.transform(pcm, History())
        gains = codec.encoder.gain.index(coefficients)
        shape = coefficients / codec.encoder.gain.amplitude(gains.clamp_min(1))
        collected.append(compress(shape, codec.config.compand)[gains > AUDIBLE_GAIN])
    shapes = torch.cat(collected)[:count]
    for network in (codec.encoder, codec.decoder):
        network.band_scale.copy_(shapes.square().mean(0).sqrt())
    latents = shapes[:, : codec.config.latent_dim] * emphasis(codec.config)
    codec.quantizer.fit(latents, batch_frames)
