"""Trims of a packet's spans, by how much decoded bands are corrected: to codes, and back.

A trim is mostly like the one before it, so a span's codes stand for what is new in it: none where
that is little, more where levels would be wrong without. Nothing is expected of the first span of a
packet: packets stay decodable on their own.
"""

from __future__ import annotations

import numpy as np

from nacli.config import ModelConfig
from nacli.entropy import TrimTables
from nacli.quantize import Codebooks, Codes, Floats, dequantize

LIMIT = 4.0
"""Of trims either way; no encoder comes near, and a crafted file shall not make sound infinite."""
PRICE, HALVING = 0.4, 1.35
"""Squared error of a span's trim that one bit has to save, where frames have no stages; and the
stages a frame that halve it."""


def span_frames(counts: Codes, config: ModelConfig) -> int:
    """Frames of the spans of a packet whose frames have stage counts [F]: where there are many
    bits, levels get more of them at a time."""
    return 1 if counts.max(initial=0) >= config.trim_fine else config.trim_frames


def span_count(counts: Codes, config: ModelConfig) -> int:
    """Spans of such a packet."""
    return -(-len(counts) // span_frames(counts, config))


def prices(counts: Codes, span: int, late: int) -> Floats:
    """What a bit is worth in squared errors of trims, in spans [S] of so many frames of a packet
    with stage counts [F]: what is loud has more bits for its codes, and should have for its trims.

    What a frame's trims are for is `late` frames older, and has the stages of those; but the frames
    before a packet may be lost, so its first ones have their own."""
    shifted = np.concatenate([counts[:late], counts])[: len(counts)]
    most = np.maximum.reduceat(shifted, np.arange(0, len(counts), span))
    made: Floats = (PRICE * 0.5 ** (most / HALVING)).astype(np.float32)
    return made


def quantize_trims(
    wanted: Floats, codebooks: Codebooks, memory: float, tables: TrimTables, bits: Floats
) -> tuple[Codes, Codes]:
    """Codes [S, N] that bring the trims of spans near to what is wanted [S, bands], and how many
    each span has [S], 0 after them: as many as leave the least sum of the squared error and of
    what they take, where a bit is worth so much of it [S]."""
    codes = np.zeros((len(wanted), codebooks.stages), dtype=np.int32)
    counts = np.zeros(len(wanted), dtype=np.int32)
    trim, before = np.zeros(wanted.shape[1], dtype=np.float32), (0, 0)
    for span, row in enumerate(wanted):
        nearest, left = _nearest(row - memory * trim, codebooks)
        takes = tables.choices(nearest, before)
        bit = float(bits[span])
        costs = [float(rest @ rest) + bit * more for rest, more in zip(left, takes, strict=True)]
        count = costs.index(min(costs))
        codes[span, :count], counts[span] = nearest[:count], count
        trim, before = row - left[count], (count, before[0])
    return codes, counts


def _nearest(new: Floats, codebooks: Codebooks) -> tuple[list[int], list[Floats]]:
    """The nearest code of every stage to what those before it leave of what is new [bands], and
    what 0 to N of them leave. Sums of several paths, as for latents, are worth nothing here."""
    codes, left = [], [new]
    for stage, vectors in enumerate(codebooks.vectors):
        distances = left[-1] @ codebooks.doubled[stage] + codebooks.energies[stage]
        codes.append(int(distances.argmin()))
        left.append(left[-1] - vectors[codes[-1]])
    return codes, left


def dequantize_trims(codes: Codes, counts: Codes, codebooks: Codebooks, memory: float) -> Floats:
    """Trims [S, bands] of the codes [S, N] of a packet's spans, so many for each [S]."""
    trims = dequantize(codes, counts, codebooks)
    for span in range(1, len(trims)):
        trims[span] += memory * trims[span - 1]
    return trims.clip(-LIMIT, LIMIT)
