"""Static entropy tables, counted over the corpus with the finished quantiser."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nacli.allocate import highest_level, packet_counts, trim_counts
from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.entropy import StaticTables, TrimTables, frequencies
from nacli.model import Networks
from nacli.quantize import Codebooks, dequantize, search, select
from nacli.trims import quantize_trims
from training.corpus import Sampler
from training.quantizer import kmeans, nearest

Counts = NDArray[np.int64]
CODE_PRIOR = 2
"""Added to every count of a code, so that what was never seen stays possible and not too dear."""
GAIN_PRIOR = 30
"""Weight of the pooled distribution of gain changes in each row of the gain table."""


TRIM_CLASSES = 32
"""Classes of trim codes, by which the next span's are predicted."""
TRIM_PRIOR = 1000
"""Weight of all first trim codes together in the row of each class."""


def fit_tables(
    config: ModelConfig, networks: Networks, codebooks: Codebooks, sampler: Sampler, packets: int
) -> StaticTables:
    """Tables counted over `packets` segments at random levels."""
    gain_counts = np.zeros((GAIN_LEVELS + 1, GAIN_LEVELS), dtype=np.int64)
    code_counts = np.zeros((config.stages, config.codebook_size), dtype=np.int64)
    trims = TrimCounts(codebooks.trims, config.trim_memory) if codebooks.trims else None
    random = np.random.default_rng(0)
    for _ in range(packets):
        pcm = sampler.batch(1).numpy()
        latents, gains, energies = networks.analyze(pcm, networks.new_history())
        count_gains(gain_counts, gains[0])
        level = int(random.integers(8, highest_level(config.stages)))
        counts = packet_counts(gains, (level,), config.stages)[0]
        depth = max(1, int(counts.max()))
        codes = select(search(latents[0], codebooks, depth).paths, counts)
        for stage in range(depth):
            np.add.at(code_counts[stage], codes[counts > stage, stage], 1)
        if trims:
            decoded = dequantize(codes, counts, codebooks)[None]
            side = (gains, counts[None], networks.new_history())
            wanted = networks.wanted_trims(energies, decoded, *side)[0]
            trims.add(wanted, trim_counts(counts, config))
    return StaticTables(
        frequencies(smooth_gains(gain_counts)),
        frequencies(code_counts + CODE_PRIOR),
        trims.tables() if trims else None,
    )


class TrimCounts:
    """Counts trim codes: the first of a span by the class of the one before."""

    def __init__(self, codebooks: Codebooks, memory: float) -> None:
        self._codebooks, self._memory = codebooks, memory
        stages, size, _ = codebooks.vectors.shape
        centres = kmeans(torch.from_numpy(codebooks.vectors[0]), min(TRIM_CLASSES, size))[0]
        self._classes = nearest(torch.from_numpy(codebooks.vectors[0]), centres).numpy()
        self._first = np.zeros((len(centres) + 1, size), dtype=np.int64)
        self._later = np.zeros((stages - 1, size), dtype=np.int64)

    def add(self, wanted: NDArray[np.float32], counts: NDArray[np.int32]) -> None:
        """The trims that a packet's spans want [S, bands], of which so many codes are used [S]."""
        codes = quantize_trims(wanted, counts, self._codebooks, self._memory)
        follows = np.concatenate([[False], (counts[:-1] > 0) & (counts[1:] > 0)])
        classes = np.where(follows, self._classes[np.roll(codes[:, 0], 1)], len(self._first) - 1)
        np.add.at(self._first, (classes[counts > 0], codes[counts > 0, 0]), 1)
        for stage, row in enumerate(self._later, 1):
            np.add.at(row, codes[counts > stage, stage], 1)

    def tables(self) -> TrimTables:
        pooled = self._first.sum(0) + 1
        first = self._first * 1000 + pooled * (1000 * TRIM_PRIOR) // pooled.sum() + 1
        return TrimTables(
            self._classes.astype(np.uint8),
            frequencies(first),
            frequencies(self._later + CODE_PRIOR),
        )


def count_gains(counts: Counts, gains: NDArray[np.int32]) -> None:
    """Count each gain under the one before it; the first of a packet under the last row."""
    np.add.at(counts, (gains[:-1], gains[1:]), 1)
    counts[GAIN_LEVELS, gains] += 1


def smooth_gains(counts: Counts) -> Counts:
    """Mix into each row how gains change anywhere in the corpus, and keep silence silent."""
    levels = np.arange(GAIN_LEVELS)
    change = levels[None, :] - levels[:, None] + GAIN_LEVELS - 1
    pooled = np.bincount(change.ravel(), counts[:GAIN_LEVELS].ravel(), 2 * GAIN_LEVELS - 1) + 1
    prior = pooled[change] / pooled[change].sum(1, keepdims=True) * GAIN_PRIOR
    # in thousandths, so that the prior's small shares survive as integers
    smoothed = counts * 1000 + 1
    smoothed[:GAIN_LEVELS] += np.rint(prior * 1000).astype(np.int64)
    smoothed[0, 0] += 99 * smoothed[0].sum()
    return smoothed
