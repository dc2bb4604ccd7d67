"""Segments of the corpus there and back: what trims and post-filter learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from nacli.harmonics import HarmonicFilter
from nacli.levels import LevelMeter, Spectra
from training.codec import Codec, as_encoded
from training.corpus import Sampler

Floats = NDArray[np.float32]
BATCH = 10


class Heard(NamedTuple):
    """Samples [T] of a segment before and after, decoded and through the harmonic filter; the
    energies [F, BANDS] of the hops of both; and their stages [F]."""

    original: Floats
    decoded: Floats
    original_energies: Floats
    decoded_energies: Floats
    counts: NDArray[np.int32]


def heard_clips(codec: Codec, sampler: Sampler, clips: int) -> Iterator[Heard]:
    """So many segments, each at the stages that a packet gets."""
    config, random = codec.config, np.random.default_rng(3)
    spectra, late = Spectra(config.hop, config.sample_rate), HarmonicFilter.DELAY * config.hop
    for _ in tqdm(range(clips // BATCH), desc="decoding", disable=None):
        pcm = sampler.batch(BATCH)
        with torch.no_grad():
            plain = codec.plain(pcm, as_encoded(config.stages, random))
        padded = np.pad(plain.output.numpy(), ((0, 0), (0, late)))
        heard = HarmonicFilter(BATCH, config.hop).process(padded)[:, late:]
        pair = (LevelMeter(BATCH, spectra).measure(x) for x in (pcm.numpy(), heard))
        counts = plain.counts[:, 1 : 1 + pcm.shape[1] // config.hop]  # frame f completes hop f - 1
        own = counts.numpy().astype(np.int32)
        yield from (Heard(*row) for row in zip(pcm.numpy(), heard, *pair, own, strict=True))
