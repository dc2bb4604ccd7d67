"""Static entropy tables, counted over the corpus with the finished networks and quantiser."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.encoder.code_search import search, select
from nacli.encoder.correction_search import search_corrections
from nacli.encoder.local_decoder import LocalDecoder
from nacli.entropy import CorrectionTables, StaticTables, frequencies
from nacli.entropy.corrections import code_positions, code_row, count_contexts, count_row
from nacli.envelope.corrections import CorrectionTargets
from nacli.envelope.predictor import CorrectionPredictor
from nacli.networks import Networks
from nacli.quantizer.allocation import highest_level, packet_counts
from nacli.quantizer.rvq import Codebooks, dequantize
from training.corpus import Sampler

Counts = NDArray[np.int64]
CODE_PRIOR = 2
"""Added to every count of a code, so that what was never seen stays possible and not too dear."""
GAIN_PRIOR = 30
"""Weight of the pooled distribution of gain changes in each row of the gain table."""
ROUNDS = 3
"""Of choosing corrections by tables, and counting tables over what was chosen."""


def fit_tables(
    config: ModelConfig,
    networks: Networks,
    codebooks: Codebooks,
    prediction: CorrectionPredictor,
    sampler: Sampler,
    packets: int,
) -> StaticTables:
    """Counted over `packets` segments at random levels, in the second half of each: streams start
    with silence."""
    gain_counts = np.zeros((GAIN_LEVELS + 1, GAIN_LEVELS), dtype=np.int64)
    code_counts = np.zeros((config.stages, config.codebook_size), dtype=np.int64)
    wanted: list[CorrectionTargets] = []
    random, spectra = np.random.default_rng(0), bark_spectra(config.hop, config.sample_rate)
    for _ in range(packets):
        pcm, local = sampler.batch(1).numpy(), LocalDecoder(config, networks, prediction, 1)
        energies = BandEnergyMeter(1, spectra).measure(pcm)
        latents, gains = networks.analyze(pcm, networks.new_history())
        # as many at one to two stages as at eight to sixteen
        level = round(8 * (highest_level(config.stages) / 8) ** random.random())
        half = gains.shape[1] // 2
        halves = ((x[:, :half], x[:, half : 2 * half]) for x in (energies, latents, gains))
        for original, shapes, levels in zip(*halves, strict=True):
            counts = packet_counts(levels, (level,), config.stages)
            depth = max(1, int(counts.max()))
            codes = select(search(shapes[0], codebooks, depth).paths, counts[0])
            if codebooks.corrections:
                decoded = dequantize(codes, counts[0], codebooks)[None]
                found = local.targets(original, decoded, levels, counts)[0]
        count_gains(gain_counts, levels[0])
        for stage in range(depth):
            np.add.at(code_counts[stage], codes[counts[0] > stage, stage], 1)
        if codebooks.corrections:
            wanted.append(found)
    return StaticTables(
        frequencies(smooth_gains(gain_counts)),
        frequencies(code_counts + CODE_PRIOR),
        fit_corrections(config, codebooks.corrections, wanted) if codebooks.corrections else None,
    )


def fit_corrections(
    config: ModelConfig, books: Codebooks, wanted: list[CorrectionTargets]
) -> CorrectionTables:
    """Tables of the corrections that encoders choose by them."""
    tables = None
    for _ in range(ROUNDS):
        tables = count_corrections(config, books, wanted, tables)
    assert tables is not None
    return tables


def count_corrections(
    config: ModelConfig,
    books: Codebooks,
    wanted: list[CorrectionTargets],
    tables: CorrectionTables | None,
) -> CorrectionTables:
    """Tables of what is chosen by other tables, or by ones that know nothing."""
    most = config.correction_stages + 1
    numbers = np.ones((most**2, most), dtype=np.int64)
    codes = np.full((code_row(most, 0), config.codebook_size), CODE_PRIOR, dtype=np.int64)
    tables = tables or CorrectionTables(frequencies(numbers), frequencies(codes))
    for packet in wanted:
        choices = search_corrections(packet, books, tables, np.ones(1, np.float32))
        chosen, counts = choices.codes[0], choices.counts[0]
        for before, own in count_contexts(counts):
            numbers[count_row(before, config.correction_stages), own] += 1
        for span, stage, row in code_positions(counts):
            codes[row, chosen[span, stage]] += 1
    return CorrectionTables(frequencies(numbers), frequencies(codes))


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
