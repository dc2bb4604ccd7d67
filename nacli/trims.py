"""Trims of a packet's spans, by how much decoded bands are corrected: to codes, and back.

A trim is mostly like the one before it, so a span's codes stand for what is new in it. Nothing is
expected of the first span of a packet: packets stay decodable on their own.
"""

from __future__ import annotations

import numpy as np

from nacli.quantize import Codebooks, Codes, Floats, dequantize, search, select

BEAM = 4
"""Sums of vectors that are kept of every span."""
LIMIT = 4.0
"""Of trims either way; no encoder comes near, and a crafted file shall not make sound infinite."""


def quantize_trims(wanted: Floats, counts: Codes, codebooks: Codebooks, memory: float) -> Codes:
    """Codes [S, N] that bring the trims of spans near to what is wanted [S, bands], so many for
    each [S], 0 after them."""
    codes = np.zeros((len(counts), codebooks.stages), dtype=np.int32)
    trim = np.zeros_like(wanted[:1])
    for span in range(len(counts)):
        here, trim = slice(span, span + 1), memory * trim
        if counts[span]:
            found = search(wanted[here] - trim, codebooks, int(counts[span]), BEAM)
            codes[here, : counts[span]] = select(found.paths, counts[here])
            trim = trim + dequantize(codes[here], counts[here], codebooks)
    return codes


def dequantize_trims(codes: Codes, counts: Codes, codebooks: Codebooks, memory: float) -> Floats:
    """Trims [S, bands] of the codes [S, N] of a packet's spans, so many for each [S]."""
    trims = dequantize(codes, counts, codebooks)
    for span in range(1, len(trims)):
        trims[span] += memory * trims[span - 1]
    return trims.clip(-LIMIT, LIMIT)
