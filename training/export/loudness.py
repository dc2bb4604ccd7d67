"""Loudness of the Decoder, restored after training."""

from __future__ import annotations

import numpy as np

from nacli.api import decode, encode
from nacli.checkpoint import Model
from nacli.tensor_file import Tensors
from training.corpus.sampler import Sampler

LAST_LAYERS = ("decoder.features.skip.weight", "decoder.features.second.weight")
"""The last layers of the Decoder: they have no bias, and their sum is the output."""


def missing_level(model: Model, sampler: Sampler, clips: int) -> float:
    """Return by how many dB clips of the corpus come back too soft; the median.

    Losses that compare waveforms are lowest where uncertain components are left out, and the
    corrections behind the Decoder cannot restore all of it: the last layers learn to lower
    everything.
    """
    rate, losses = model.config.sample_rate, []
    for pcm in sampler.batch(clips).numpy():
        decoded, _ = decode(encode(pcm, rate, model=model), model=model)
        powers = [float(np.square(x, dtype=np.float64).mean()) for x in (pcm, decoded)]
        losses.append(10 * np.log10(powers[0] / max(powers[1], 1e-12)))
    return float(np.median(losses))


def amplified(tensors: Tensors, decibels: float) -> Tensors:
    """Return the tensors of a checkpoint whose Decoder is louder by `decibels`."""
    factor = 10 ** (decibels / 20)
    louder = {name: (factor * tensors[name]).astype(np.float16) for name in LAST_LAYERS}
    return tensors | louder
