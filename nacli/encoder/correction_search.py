"""Rate-distortion search of the envelope corrections, at several weights of the bits at once.

The corrections of a packet are a chain: each span is predicted from the one before it, so spans are
searched in order. Several scales of the rate-distortion weight go through the chain side by side,
in the same products of matrices, so one pass offers the rate loop a choice of sizes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nacli.entropy import CorrectionTables
from nacli.envelope.corrections import CorrectionTargets
from nacli.quantizer.rvq import Codebooks
from nacli.types import Doubles, Floats, Indices, Integers


class CorrectionChoices(NamedTuple):
    """Corrections of one channel for each of K scales: codes [K, S, N], the number of codes of each
    span [K, S], and the bits of all of them [K]."""

    codes: Integers
    counts: Integers
    bits: Doubles


def search_corrections(
    targets: CorrectionTargets, codebooks: Codebooks, tables: CorrectionTables, scales: Floats
) -> CorrectionChoices:
    """Search the codes of the corrections of a packet at each of `scales` [K].

    Each span gets the number of codes with the least squared error plus lambda times bits, where
    lambda is its own weight times the scale. Codes after a span's number are 0.
    """
    spans, size = len(targets.corrections), len(scales)
    codes = np.empty((spans, size, codebooks.stages), dtype=np.intp)
    counts = np.empty((spans, size), dtype=np.intp)
    bits = np.empty((spans, size, codebooks.stages + 1))
    span_search = _SpanSearch(codebooks, tables, size)
    before: Floats = targets.predictor.mean[None].repeat(size, axis=0)
    weights = np.multiply.outer(targets.lambdas, scales)[:, :, None]
    contexts = np.zeros(size, dtype=np.intp)
    for span, target in enumerate(targets.corrections):
        residuals = span_search.residuals(target - targets.predictor(before), codes[span])
        tables.span_bits(codes[span], contexts, out=bits[span])
        costs = np.einsum("nkb,nkb->kn", residuals, residuals) + weights[span] * bits[span]
        own = costs.argmin(1, out=counts[span])
        before = target - residuals[own, span_search.rows]
        contexts = tables.next_contexts(contexts, own)
    unused = np.arange(codebooks.stages) >= counts[:, :, None]
    codes[unused] = 0
    total: Doubles = np.take_along_axis(bits, counts[:, :, None], 2)[:, :, 0].sum(0)
    order = (1, 0, 2)
    return CorrectionChoices(
        codes.transpose(order).astype(np.int32), counts.T.astype(np.int32), total
    )


class _SpanSearch:
    """The search of one span after another. There are many spans, and each takes a few products of
    small matrices: the steps are few, and they reuse their memory."""

    def __init__(self, codebooks: Codebooks, tables: CorrectionTables, size: int) -> None:
        """`size` is the number K of scales."""
        self.rows = np.arange(size)
        self._codebooks = codebooks
        stages, count, bands = codebooks.vectors.shape
        # The last column is 1, so that products include the constant of each code.
        self._residuals = np.ones((stages + 1, size, bands + 1), dtype=np.float32)
        self._gains = np.empty((size, count), dtype=np.float32)

    def residuals(self, residual: Floats, codes: Indices) -> Floats:
        """Search the codes [K, N] of residuals [K, BANDS], and write them to `codes`. Return what
        each number of codes leaves [N + 1, K, BANDS], which the next call overwrites.

        Each code is the nearest to what the codes before it leave; a beam, as for latents, gains
        nothing here.
        """
        books, left = self._codebooks, self._residuals
        left[0, :, :-1] = residual
        for stage in range(books.stages):
            # |r - v|^2 = |r|^2 - 2 (r v - |v|^2 / 2)
            gains = np.matmul(left[stage], books.search_matrices[stage], out=self._gains)
            chosen = gains.argmax(1, out=codes[:, stage])
            vectors = books.vectors[stage].take(chosen, axis=0)
            np.subtract(left[stage, :, :-1], vectors, out=left[stage + 1, :, :-1])
        return left[:, :, :-1]
