"""Predictions of envelope corrections, and their search at one weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacli.dsp.filterbank import BANDS
from nacli.encoder.correction_search import search_corrections
from nacli.entropy import CorrectionTables
from nacli.envelope.corrections import CorrectionTargets
from nacli.envelope.predictor import SpanPredictor
from nacli.quantizer.rvq import Codebooks


def quantize_corrections(
    targets: CorrectionTargets, books: Codebooks, tables: CorrectionTables
) -> tuple[Any, Any]:
    """Codes and their numbers at the usual weight."""
    choices = search_corrections(targets, books, tables, np.ones(1, np.float32))
    return choices.codes[0], choices.counts[0]


def decaying(share: float, bands: int = BANDS) -> SpanPredictor:
    """Predict a share of the correction before."""
    return SpanPredictor(np.zeros(bands, np.float32), share * np.eye(bands, dtype=np.float32))
