"""Segments of the corpus, encoded and decoded: training data of corrections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.types import Floats
from training.codec import Codec
from training.corpus.sampler import Sampler, read_corpus
from training.stage_allocation import random_allocation

BATCH, FRAMES = 10, 90
"""Segments that are decoded at a time, and the frames of a segment."""


class DecodedSegment(NamedTuple):
    """The band energies [F, BANDS] of original and decoded hops, and the stage counts [F]."""

    original_energies: Floats
    decoded_energies: Floats
    counts: NDArray[np.int32]


def decode_segments(
    codec: Codec, corpus: Path, seed: int, segments: int
) -> Iterator[DecodedSegment]:
    """Yield segments of the corpus, each decoded with the stage counts of a random packet."""
    config = codec.config
    sampler = Sampler(read_corpus(corpus), FRAMES * config.hop, seed)
    spectra = bark_spectra(config.hop, config.sample_rate)
    for _ in tqdm(range(segments // BATCH), desc="decoding", disable=None):
        pcm = sampler.batch(BATCH)
        with torch.no_grad():
            coded = codec(pcm, random_allocation(config.stages))
        sounds = (pcm.numpy(), coded.output.numpy())
        energies = (BandEnergyMeter(BATCH, spectra).measure(sound) for sound in sounds)
        hops = pcm.shape[1] // config.hop
        counts = coded.counts[:, 1 : 1 + hops].numpy()  # frame f completes hop f - 1
        columns = (*energies, counts.astype(np.int32))
        yield from (DecodedSegment(*row) for row in zip(*columns, strict=True))
