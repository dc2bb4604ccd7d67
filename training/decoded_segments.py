"""Segments of the corpus there and back: what corrections and post-filter learn from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.pitch_filter import PitchFilter
from nacli.envelope.predictor import RecentLevels
from nacli.types import Floats
from training.codec import Codec, as_encoded
from training.corpus import Sampler, read_corpus

BATCH, FRAMES = 10, 90
"""Segments that are decoded at a time, and their length."""


class Heard(NamedTuple):
    """Samples [T] of a segment before and after, decoded and through the harmonic filter; the
    energies [F, BANDS] of the hops of both; and their stages [F]."""

    original: Floats
    decoded: Floats
    original_energies: Floats
    decoded_energies: Floats
    counts: NDArray[np.int32]

    @property
    def levels(self) -> Floats:
        """`RecentLevels` [F, ...] of the decoded hops."""
        return RecentLevels(1).of(self.decoded_energies[None])[0]


def heard_clips(codec: Codec, corpus: Path, seed: int, clips: int) -> Iterator[Heard]:
    """So many segments, each at the stages that a packet gets."""
    config, random = codec.config, np.random.default_rng(3)
    sampler = Sampler(read_corpus(corpus), FRAMES * config.hop, seed)
    spectra, late = bark_spectra(config.hop, config.sample_rate), PitchFilter.DELAY * config.hop
    for _ in tqdm(range(clips // BATCH), desc="decoding", disable=None):
        pcm = sampler.batch(BATCH)
        with torch.no_grad():
            plain = codec.plain(pcm, as_encoded(config.stages, random))
        padded = np.pad(plain.output.numpy(), ((0, 0), (0, late)))
        heard = PitchFilter(BATCH, config.hop).process(padded)[:, late:]
        pair = (BandEnergyMeter(BATCH, spectra).measure(x) for x in (pcm.numpy(), heard))
        counts = plain.counts[:, 1 : 1 + pcm.shape[1] // config.hop]  # frame f completes hop f - 1
        own = counts.numpy().astype(np.int32)
        yield from (Heard(*row) for row in zip(pcm.numpy(), heard, *pair, own, strict=True))
