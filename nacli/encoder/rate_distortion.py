"""Rate-distortion choice of codes: squared error + price x bits (entropy-constrained quantisation:
Chou, Lookabaugh and Gray, 1989).

What codes take on average, the search of `quantize` weighs as it goes. `refine` chooses in the
order of coding, by the bits that the entropy model asks given the frames coded before and the
candidate's own earlier stages. What a code does to the predictions of later frames is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.entropy import Forecast, StaticTables
from nacli.quantizer.rvq import Codebooks, extend
from nacli.types import Floats, Integers


def exchange_rates(codebooks: Codebooks, tables: StaticTables) -> Floats:
    """Squared error that a bit buys at each stage [N]: what a stage of trained vectors takes from
    the error is, on average, their own energy."""
    gained = (tables.shares * codebooks.energies).sum(1)
    return (gained / tables.mean_code_bits).astype(np.float32)


def average_costs(codebooks: Codebooks, tables: StaticTables, lambda_scale: float) -> Floats:
    """What a code costs [N, size], as a squared error, by the bits that it takes on average:
    `lambda_scale` is the share of what a bit buys that is paid for it."""
    return lambda_scale * exchange_rates(codebooks, tables)[:, None] * tables.table_bits


def refine(
    latents: Floats,
    counts: Integers,
    prices: Floats,
    forecast: Forecast,
    codebooks: Codebooks,
    beam: int,
) -> Integers:
    """Integers [F, depth] of latents [F, D] with stage counts [F], 0 where a frame has fewer stages.

    `prices` [F] are the squared errors that a bit is worth. The `beam` best candidates of a frame
    are kept from stage to stage.
    """
    codes = np.zeros((len(counts), int(counts.max(initial=0))), dtype=np.int32)
    for group in forecast.groups():
        frames = group[counts[group] > 0]
        if len(frames):
            state = forecast.begin(frames)
            candidates = _Candidates(latents[frames], state, codes.shape[1])
            for stage in range(int(counts[frames].max())):
                candidates.leave(counts[frames] > stage)
                candidates.extend(stage, forecast, codebooks, prices[frames], beam)
            codes[frames] = candidates.best()
            forecast.settle(codes[frames])
    return codes


class _Candidates:
    """The best sums of each frame of a group so far, the cheapest first; and the codes of the
    frames that have all their stages."""

    def __init__(self, latents: Floats, state: Integers, depth: int) -> None:
        self._rows = np.arange(len(latents))
        self._residual, self._state = latents[:, None], state
        self._cost = np.zeros((len(latents), 1), dtype=np.float32)
        self._paths = np.zeros((len(latents), 1, depth), dtype=np.int32)
        self._done = np.zeros((len(latents), depth), dtype=np.int32)

    def leave(self, going_on: NDArray[np.bool_]) -> None:
        """Set aside the frames that have no further stage."""
        on = going_on[self._rows]
        if not on.all():
            self._done[self._rows[~on]] = self._paths[~on, 0]
            self._rows, self._paths, self._cost = self._rows[on], self._paths[on], self._cost[on]
            self._residual, self._state = self._residual[on], self._state[on]

    def extend(
        self, stage: int, forecast: Forecast, codebooks: Codebooks, prices: Floats, beam: int
    ) -> None:
        """Add a code of a stage to each, and keep the best."""
        bits = forecast.bits(self._rows, stage, self._state)
        own = bits * prices[self._rows, None, None]
        parent, code, self._cost = extend(self._residual, self._cost, own, codebooks, stage, beam)
        row, vectors = np.arange(len(self._rows))[:, None], codebooks.vectors[stage]
        self._residual = self._residual[row, parent] - vectors[code]
        self._state = forecast.extend(self._state[row, parent], stage, code)
        self._paths = self._paths[row, parent]
        self._paths[:, :, stage] = code

    def best(self) -> Integers:
        """Integers [M, depth] of all frames of the group."""
        self._done[self._rows] = self._paths[:, 0]
        return self._done
