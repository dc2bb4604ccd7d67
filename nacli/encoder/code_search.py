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


class CodeSearch:
    """Finds the codes with the least sum of squared error and rate cost."""

    def __init__(self, codebooks: Codebooks, beam: int = 4, costs: Floats | None = None) -> None:
        """`beam` is the number of candidates of a frame that go from stage to stage, and `costs`
        [N, size] are rate costs of the codes, 0 where there are none."""
        self._codebooks, self._beam, self._costs = codebooks, beam, costs
        self._matrices: dict[int, Floats] = {}

    def search(self, latents: Floats, depths: int | Integers) -> SearchResult:
        """Find the best codes of latents [F, D] for every number of stages up to `depths`, one
        number for all frames or one for each [F].

        A path is not always the start of the next longer one. Beyond its own depth a frame has the
        codes 0 and the error of its last stage.
        """
        depths = np.broadcast_to(np.asarray(depths, dtype=np.int32), len(latents))
        depth = max(1, int(depths.max(initial=0)))
        starts = range(0, max(1, len(latents)), BLOCK)
        parts = [
            self._search(latents[at : at + BLOCK], depths[at : at + BLOCK], depth) for at in starts
        ]
        return SearchResult(*(np.concatenate(part, axis=1) for part in zip(*parts, strict=True)))

    def _search(self, latents: Floats, depths: Integers, depth: int) -> SearchResult:
        best = np.zeros((depth, len(latents), depth), dtype=np.int32)
        errors = np.empty((depth + 1, len(latents)), dtype=np.float32)
        errors[0] = np.square(latents).sum(1)
        frames, residual = np.arange(len(latents)), latents[:, None, :]
        paths = np.zeros((len(latents), 1, 0), dtype=np.int32)
        gain = np.zeros((len(latents), 1), dtype=np.float32)
        for stage in range(depth):
            deeper = depths[frames] > stage
            if not deeper.all():  # quiet frames have few stages
                frames, residual = frames[deeper], residual[deeper]
                paths, gain = paths[deeper], gain[deeper]
            errors[stage + 1] = errors[stage]
            if not len(frames):
                continue
            parent, code, gain = self._extend(residual, gain, stage)
            row = np.arange(len(frames))[:, None]
            residual = residual[row, parent] - self._codebooks.vectors_of(stage, code)
            paths = np.concatenate([paths[row, parent], code[:, :, None]], axis=2)
            best[stage, frames, : stage + 1] = paths[:, 0]
            errors[stage + 1, frames] = np.square(residual[:, 0]).sum(1)
        return SearchResult(best, errors)

    def _extend(
        self, residual: Floats, gain: Floats, stage: int
    ) -> tuple[Indices, Integers, Floats]:
        """Add a code of one stage to the candidates of each frame and keep the best ones.

        Args:
            residual: what the W candidates of each frame leave over [F, W, D].
            gain: half of the cost that the candidates have saved so far [F, W]; a candidate without
                codes costs its energy.

        Returns:
            The candidate that each kept one extends, its new code, and its gain, [F, beam] each.
        """
        # |r|^2 - |r - v|^2 = 2 r v - |v|^2. One product adds everything: memory traffic is what
        # more steps would cost.
        constant = np.ones((*gain.shape, 2), dtype=np.float32)
        constant[..., 1] = gain
        rows = np.concatenate([residual, constant], axis=2)
        total = rows.reshape(-1, rows.shape[2]) @ self._matrix(stage)
        chosen, best = _largest(total.reshape(len(residual), -1), self._beam)
        parent, code = np.divmod(chosen, total.shape[1])
        return parent, code.astype(np.int32), best

    def _matrix(self, stage: int) -> Floats:
        """Return the search matrix of a stage with costs, and ones for the gains so far
        [D + 2, size]. Only the stages that are searched have one."""
        if stage not in self._matrices:
            matrix = self._codebooks.search_matrix(stage)
            if self._costs is not None:
                matrix[-1] -= self._costs[stage] / 2
            self._matrices[stage] = np.pad(matrix, ((0, 1), (0, 0)), constant_values=1)
        return self._matrices[stage]


def select(paths: Integers, counts: Integers) -> Integers:
    """Return codes [F, depth] from `search`: frame f's best path of `counts[f]` codes, 0 after
    them."""
    chosen = paths[np.maximum(counts - 1, 0), np.arange(len(counts))]
    return np.where(np.arange(paths.shape[2]) < counts[:, None], chosen, 0).astype(np.int32)


def _largest(gains: Floats, count: int) -> tuple[Indices, Floats]:
    """Return the indices [F, count] of the largest values of each row, and these values,
    descending; of equal values the first comes first. `gains` is overwritten."""
    row, shape = np.arange(len(gains)), (len(gains), min(count, gains.shape[1]))
    found, values = np.empty(shape, dtype=np.intp), np.empty(shape, dtype=gains.dtype)
    for rank in range(shape[1]):
        best = gains.argmax(1, out=found[:, rank])
        values[:, rank] = gains[row, best]
        gains[row, best] = -np.inf
    return found, values
