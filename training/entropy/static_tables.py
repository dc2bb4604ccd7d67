"""Static entropy tables, counted over the corpus with the finished networks and codebooks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.encoder.code_search import CodeSearch, select
from nacli.encoder.local_decoder import LocalDecoder
from nacli.entropy import ChannelCodes, StaticTables, frequencies
from nacli.envelope.corrections import CorrectionTargets
from nacli.envelope.predictor import CorrectionPredictor
from nacli.networks import Networks
from nacli.quantizer.allocation import highest_level, packet_counts
from nacli.quantizer.rvq import Codebooks, dequantize
from training.corpus.sampler import Sampler
from training.entropy.correction_tables import CODE_PRIOR, fit_correction_tables

Counts = NDArray[np.int64]
GAIN_PRIOR = 30
"""Weight of the pooled distribution of gain changes in each row of the gain table."""


class PacketCoder:
    """Codes the second half of segments as packets, with random allocation levels.

    The first half is left out because streams start with silence.
    """

    def __init__(
        self,
        config: ModelConfig,
        networks: Networks,
        codebooks: Codebooks,
        predictor: CorrectionPredictor,
    ) -> None:
        self._config, self._networks = config, networks
        self._codebooks, self._predictor = codebooks, predictor
        self._search = CodeSearch(codebooks)
        self._spectra = bark_spectra(config.hop, config.sample_rate)
        self._random = np.random.default_rng(0)

    def code(self, pcm: NDArray[np.float32]) -> tuple[ChannelCodes, CorrectionTargets | None]:
        """Return the codes of samples [1, T], and the targets of the corrections if the model has
        corrections."""
        config, networks = self._config, self._networks
        local = LocalDecoder(config, networks, self._predictor, 1)
        energies = BandEnergyMeter(1, self._spectra).measure(pcm)
        latents, gains = networks.analyze(pcm, networks.new_history())
        # log-uniform: one to two stages are as frequent as eight to sixteen
        level = round(8 * (highest_level(config.stages) / 8) ** self._random.random())
        half, targets = gains.shape[1] // 2, None
        for part in (slice(half), slice(half, 2 * half)):
            own = gains[:, part]
            counts = packet_counts(own, (level,), config.stages)
            depth = max(1, int(counts.max()))
            codes = select(self._search.search(latents[0, part], depth).paths, counts[0])
            if self._codebooks.corrections:
                quantized = dequantize(codes, counts[0], self._codebooks)[None]
                targets = local.targets(energies[:, part], quantized, own, counts)[0]
        return ChannelCodes(own[0], codes, counts[0]), targets


def fit_tables(
    config: ModelConfig,
    networks: Networks,
    codebooks: Codebooks,
    predictor: CorrectionPredictor,
    sampler: Sampler,
    packets: int,
) -> StaticTables:
    """Return tables counted over `packets` segments of the sampler."""
    gain_counts = np.zeros((GAIN_LEVELS + 1, GAIN_LEVELS), dtype=np.int64)
    code_counts = np.zeros((config.stages, config.codebook_size), dtype=np.int64)
    targets: list[CorrectionTargets] = []
    coder = PacketCoder(config, networks, codebooks, predictor)
    for _ in range(packets):
        coded, corrections = coder.code(sampler.batch(1).numpy())
        count_gains(gain_counts, coded.gains)
        for stage in range(coded.codes.shape[1]):
            np.add.at(code_counts[stage], coded.codes[coded.counts > stage, stage], 1)
        if corrections:
            targets.append(corrections)
    correction_tables = None
    if codebooks.corrections:
        correction_tables = fit_correction_tables(config, codebooks.corrections, targets)
    return StaticTables(
        frequencies(smooth_gains(gain_counts)),
        frequencies(code_counts + CODE_PRIOR),
        correction_tables,
    )


def count_gains(counts: Counts, gains: NDArray[np.int32]) -> None:
    """Count each gain [F] in the row of the gain before it; the last row is for the first gain of a
    packet."""
    np.add.at(counts, (gains[:-1], gains[1:]), 1)
    counts[GAIN_LEVELS, gains] += 1


def smooth_gains(counts: Counts) -> Counts:
    """Mix the pooled distribution of gain changes into each row, and keep silence silent."""
    levels = np.arange(GAIN_LEVELS)
    change = levels[None, :] - levels[:, None] + GAIN_LEVELS - 1
    pooled = np.bincount(change.ravel(), counts[:GAIN_LEVELS].ravel(), 2 * GAIN_LEVELS - 1) + 1
    prior = pooled[change] / pooled[change].sum(1, keepdims=True) * GAIN_PRIOR
    # in thousandths, so that the prior's small shares survive as integers
    smoothed = counts * 1000 + 1
    smoothed[:GAIN_LEVELS] += np.rint(prior * 1000).astype(np.int64)
    smoothed[0, 0] += 99 * smoothed[0].sum()
    return smoothed
