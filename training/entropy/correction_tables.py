"""Static entropy tables of envelope corrections."""

from __future__ import annotations

import numpy as np

from nacli.config import ModelConfig
from nacli.encoder.correction_search import search_corrections
from nacli.entropy import CorrectionTables, frequencies
from nacli.entropy.corrections import code_positions, code_row, count_contexts, count_row
from nacli.envelope.corrections import CorrectionTargets
from nacli.quantizer.rvq import Codebooks

CODE_PRIOR = 2
"""Added to every count of a code, so that codes that never occurred stay possible."""
ROUNDS = 3
"""Rounds of quantising corrections with tables, and of counting tables over the result."""


def fit_correction_tables(
    config: ModelConfig, codebooks: Codebooks, targets: list[CorrectionTargets]
) -> CorrectionTables:
    """Return tables of the corrections that an encoder chooses with these same tables."""
    tables = None
    for _ in range(ROUNDS):
        tables = count_corrections(config, codebooks, targets, tables)
    assert tables is not None
    return tables


def count_corrections(
    config: ModelConfig,
    codebooks: Codebooks,
    targets: list[CorrectionTargets],
    tables: CorrectionTables | None,
) -> CorrectionTables:
    """Return tables of the corrections that are chosen with other tables, by default uniform
    ones."""
    most = config.correction_stages + 1
    numbers = np.ones((most**2, most), dtype=np.int64)
    code_counts = np.full((code_row(most, 0), config.codebook_size), CODE_PRIOR, dtype=np.int64)
    tables = tables or CorrectionTables(frequencies(numbers), frequencies(code_counts))
    for packet in targets:
        choices = search_corrections(packet, codebooks, tables, np.ones(1, np.float32))
        codes, counts = choices.codes[0], choices.counts[0]
        for before, own in count_contexts(counts):
            numbers[count_row(before, config.correction_stages), own] += 1
        for span, stage, row in code_positions(counts):
            code_counts[row, codes[span, stage]] += 1
    return CorrectionTables(frequencies(numbers), frequencies(code_counts))
