"""Rate-distortion search of the codes: squared error plus lambda times bits, by a beam over stages.

The nearest vector of one stage is not always the best start for the next, so the search keeps the
best candidate sums of each frame from stage to stage. Bits are charged by what a code takes on
average (entropy-constrained vector quantisation: Chou, Lookabaugh and Gray, 1989).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nacli.entropy import StaticTables
from nacli.quantizer.rvq import Codebooks
from nacli.types import Floats, Indices, Integers

BLOCK = 128
"""Frames that are searched at a time: their working set stays in the cache, and long packets need
no more memory."""
LAMBDA_SCALE = 0.25
"""Scale of the rate-distortion weight: code bits are charged at this fraction of their marginal
value."""
FIRST_STAGES, FIRST_STAGES_SCALE = 2, 0.5
"""Stages whose bits are charged at this fraction of that: where frames have few stages, no later
code adds what a cheap one leaves out."""


class SearchResult(NamedTuple):
    """The best codes of F frames for every number of stages up to `depth`.

    `paths` [depth, F, depth] has in row k - 1 each frame's best k codes; `errors` [depth + 1, F]
    are the squared errors that k codes leave.
    """

    paths: Integers
    errors: Floats


def marginal_values(codebooks: Codebooks, tables: StaticTables) -> Floats:
    """Return the squared error [N] that one bit of each stage removes: trained vectors of a stage
    remove, on average, their own energy."""
    removed = (tables.probabilities * codebooks.energies).sum(1)
    return (removed / tables.mean_code_bits).astype(np.float32)


def rate_costs(
    codebooks: Codebooks, tables: StaticTables, lambda_scale: float = LAMBDA_SCALE
) -> Floats:
    """Return lambda times the average bits of each code [N, size], as a squared error."""
    lambdas = lambda_scale * marginal_values(codebooks, tables)
    lambdas[:FIRST_STAGES] *= FIRST_STAGES_SCALE
    return lambdas[:, None] * tables.table_bits


def search(
    latents: Floats,
    codebooks: Codebooks,
    depths: int | Integers,
    beam: int = 4,
    costs: Floats | None = None,
) -> SearchResult:
    """Find the best codes of latents [F, D] for every number of stages up to `depths`, one number
    for all frames or one for each [F].

    The best codes have the least sum of squared error and `costs` [N, size], if there are any. A
    path is not always the start of the next longer one. Beyond its own depth a frame has the codes
    0 and the error of its last stage.
    """
    costs = np.zeros_like(codebooks.energies) if costs is None else costs
    depths = np.broadcast_to(np.asarray(depths, dtype=np.int32), len(latents))
    depth = max(1, int(depths.max(initial=0)))
    starts = range(0, max(1, len(latents)), BLOCK)
    parts = [
        _search(latents[at : at + BLOCK], codebooks, depths[at : at + BLOCK], depth, beam, costs)
        for at in starts
    ]
    return SearchResult(*(np.concatenate(part, axis=1) for part in zip(*parts, strict=True)))


def _search(
    latents: Floats, codebooks: Codebooks, depths: Integers, depth: int, beam: int, costs: Floats
) -> SearchResult:
    best = np.zeros((depth, len(latents), depth), dtype=np.int32)
    errors = np.empty((depth + 1, len(latents)), dtype=np.float32)
    errors[0] = np.square(latents).sum(1)
    frames, residual = np.arange(len(latents)), latents[:, None, :]
    paths = np.zeros((len(latents), 1, 0), dtype=np.int32)
    cost = np.zeros((len(latents), 1), dtype=np.float32)
    for stage in range(depth):
        deeper = depths[frames] > stage
        if not deeper.all():  # quiet frames have few stages
            frames, residual = frames[deeper], residual[deeper]
            paths, cost = paths[deeper], cost[deeper]
        errors[stage + 1] = errors[stage]
        if not len(frames):
            continue
        parent, code, cost = _extend(residual, cost, costs[stage], codebooks, stage, beam)
        row = np.arange(len(frames))[:, None]
        residual = residual[row, parent] - codebooks.vectors[stage][code]
        paths = np.concatenate([paths[row, parent], code[:, :, None]], axis=2)
        best[stage, frames, : stage + 1] = paths[:, 0]
        errors[stage + 1, frames] = np.square(residual[:, 0]).sum(1)
    return SearchResult(best, errors)


def _extend(
    residual: Floats, cost: Floats, own: Floats, codebooks: Codebooks, stage: int, beam: int
) -> tuple[Indices, Integers, Floats]:
    """Add a code of one stage to the candidates of each frame and keep the `beam` best.

    Args:
        residual: what the W candidates of each frame leave over [F, W, D].
        cost: the cost of the candidates so far [F, W]; the latents' own energy is left out.
        own: the rate cost of each code [size].

    Returns:
        The candidate that each kept one extends, its new code, and its cost, [F, beam] each.
    """
    frames, width, dim = residual.shape
    # |r - v|^2 = |r|^2 - 2 r v + |v|^2, in one array: memory traffic is what this costs
    doubled = -2 * residual.reshape(-1, dim)
    total = (doubled @ codebooks.vectors[stage].T).reshape(frames, width, -1)
    total += codebooks.energies[stage] + own
    total += cost[:, :, None]
    chosen, best = _smallest(total.reshape(frames, -1), beam)
    parent, code = np.divmod(chosen, codebooks.vectors.shape[1])
    return parent, code.astype(np.int32), best


def select(paths: Integers, counts: Integers) -> Integers:
    """Return codes [F, depth] from `search`: frame f's best path of `counts[f]` codes, 0 after
    them."""
    chosen = paths[np.maximum(counts - 1, 0), np.arange(len(counts))]
    return np.where(np.arange(paths.shape[2]) < counts[:, None], chosen, 0).astype(np.int32)


def _smallest(cost: Floats, count: int) -> tuple[Indices, Floats]:
    """Return the indices [F, count] of the smallest values of each row, and these values,
    ascending; of equal values the first comes first. `cost` is overwritten."""
    row, found, values = np.arange(len(cost)), [], []
    for _ in range(min(count, cost.shape[1])):
        best = cost.argmin(1)
        values.append(cost[row, best])
        cost[row, best] = np.inf
        found.append(best)
    return np.stack(found, axis=1), np.stack(values, axis=1)
