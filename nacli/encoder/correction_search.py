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
    spans, bands = targets.corrections.shape
    codes = np.zeros((len(scales), spans, codebooks.stages), dtype=np.int32)
    counts = np.zeros((len(scales), spans), dtype=np.int32)
    bits = np.zeros(len(scales))
    previous = np.zeros((len(scales), bands), dtype=np.float32)
    before = before_that = np.zeros(len(scales), dtype=np.intp)
    weights = np.multiply.outer(targets.lambdas, scales)
    for span, target in enumerate(targets.corrections):
        count_bits = tables.count_bits_after(before, before_that)
        residual = target - targets.predict(span, previous)
        found = _search_span(residual, weights[span], count_bits, codebooks, tables)
        codes[:, span], counts[:, span] = found.codes, found.counts
        bits += found.bits
        previous, before_that, before = target - found.residual, before, found.counts
    return CorrectionChoices(codes, counts, bits)


class _Span(NamedTuple):
    """The choice for one span at each scale: codes [K, N], their number [K], their bits [K], and
    the residual [K, BANDS] that they leave."""

    codes: Integers
    counts: Indices
    bits: Doubles
    residual: Floats


def _search_span(
    residual: Floats,
    weight: Floats,
    count_bits: Doubles,
    codebooks: Codebooks,
    tables: CorrectionTables,
) -> _Span:
    """Choose the number of codes with the least cost for residuals [K, BANDS] with weights [K].

    Each code is the nearest to what the codes before it leave; a beam, as for latents, gains
    nothing here. `count_bits` [K, N + 1] is the cost of each number of codes.
    """
    rows = np.arange(len(residual))
    codes = np.zeros((len(rows), codebooks.stages), dtype=np.int32)
    residuals, errors, bits = [residual], [np.square(residual).sum(1)], count_bits.copy()
    for stage, vectors in enumerate(codebooks.vectors):
        # |r - v|^2 = |r|^2 - 2 (r v - |v|^2 / 2)
        gains = residuals[-1] @ codebooks.transposed[stage] - codebooks.half_energies[stage]
        chosen = codes[:, stage] = gains.argmax(1)
        residuals.append(residuals[-1] - vectors[chosen])
        errors.append(errors[-1] - 2 * gains[rows, chosen])
        bits[:, stage + 1] += tables.codes_bits(codes[:, : stage + 1])
    counts = (np.stack(errors, axis=1) + weight[:, None] * bits).argmin(1)
    codes[np.arange(codebooks.stages) >= counts[:, None]] = 0
    return _Span(codes, counts, bits[rows, counts], np.stack(residuals)[counts, rows])
