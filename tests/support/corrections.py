"""The search of envelope corrections at one weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacli.encoder.correction_search import search_corrections
from nacli.entropy import CorrectionTables
from nacli.envelope.corrections import CorrectionTargets
from nacli.quantizer.rvq import Codebooks


def quantize_corrections(
    targets: CorrectionTargets, books: Codebooks, tables: CorrectionTables
) -> tuple[Any, Any]:
    """Codes and their numbers at the usual weight."""
    choices = search_corrections(targets, books, tables, np.ones(1, np.float32))
    return choices.codes[0], choices.counts[0]
