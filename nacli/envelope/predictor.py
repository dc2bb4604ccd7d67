"""Prediction of the envelope correction of a span, from the correction of the span before and from
decoded band levels.

Corrections resemble the ones before them, and what the quantiser loses follows from what it keeps:
a small network that knows both leaves less for codes to correct.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.filterbank import BANDS, ENERGY_OFFSET, relative_levels
from nacli.envelope.mlp import Mlp
from nacli.timing import PREDICTOR_CONTEXT
from nacli.types import Floats, Integers

LEVELS = PREDICTOR_CONTEXT * BANDS
"""Band levels from which a correction is predicted: those of the last hop of its span, and of the
hops before it."""
LIMIT = 4.0
"""Limit of corrections to either side. No encoder comes near it; it keeps the sound of crafted
files finite."""
STAGES_SCALE = 8
"""Stage counts are divided by this for the network."""

Predict = Callable[[int, Floats], Floats]
"""Predicts the correction [BANDS] of a span, from its number and the correction of the span
before."""


class CorrectionPredictor(Protocol):
    """A method of predicting corrections."""

    def of(self, levels: Floats, stages: Integers, span: int) -> Predict:
        """Return the prediction for spans of `span` frames.

        Args:
            levels: `RecentLevels` [S, LEVELS] at the last hops of the spans.
            stages: the largest stage count of the frames of each span [S].
        """


class DecayPredictor:
    """Predicts a correction as a constant share of the one before."""

    def __init__(self, memory: float) -> None:
        """`memory` is that share, 0 to 1."""
        self._memory = np.float32(memory)

    def of(self, levels: Floats, stages: Integers, span: int) -> Predict:
        return lambda _, before: self._memory * before


class LearnedPredictor:
    """Predicts a correction by a perceptron of three layers, whose output is added to a share of
    the correction before."""

    def __init__(self, tensors: dict[str, NDArray[np.float16]]) -> None:
        """Take `levels` [LEVELS + 2, H] and `before` [BANDS, H], which together are the weights of
        the first layer, and its `bias` [H]; `second.*` and `last.*`; and `memory` [BANDS], the
        share of each band. Raises `KeyError` and `ValueError` where tensors are missing or do not
        fit each other."""
        names = ("levels", "before", "bias", "memory")
        first = [tensors[name].astype(np.float32) for name in names]
        self._levels, self._before, self._bias, self._memory = first
        width = self._bias.size
        if [x.shape for x in first] != [(LEVELS + 2, width), (BANDS, width), (width,), (BANDS,)]:
            raise ValueError("layers do not fit each other: levels, before, bias, memory")
        self._deeper = Mlp(tensors, ("second", "last"), width, BANDS)

    def of(self, levels: Floats, stages: Integers, span: int) -> Predict:
        # These inputs of the first layer are known for all spans at once. The correction before is
        # not: each span needs the result of the span before it.
        known = with_stages(levels, stages, span) @ self._levels + self._bias

        def predict(number: int, before: Floats) -> Floats:
            hidden = before @ self._before
            hidden += known[number]
            correction = self._deeper(np.maximum(hidden, 0, out=hidden))
            correction += self._memory * before
            return limited(correction)

        return predict


def limited(correction: Floats) -> Floats:
    """Limit a correction to +-LIMIT, in place. np.clip takes several times longer on few values."""
    return np.minimum(np.maximum(correction, -LIMIT, out=correction), LIMIT, out=correction)


def with_stages(levels: Floats, stages: Integers, span: int) -> Floats:
    """Join the levels [S, LEVELS] and stage counts [S] of spans to the inputs [S, LEVELS + 2] that
    are known before the correction before; the last input is 1 for spans of one frame."""
    columns = np.empty((len(stages), 2), dtype=np.float32)
    columns[:, 0], columns[:, 1] = stages / STAGES_SCALE, span == 1
    return np.concatenate([levels, columns], axis=1)


class RecentLevels:
    """Band levels of the hops of one stream, each with those of the hops before it."""

    def __init__(self, channels: int) -> None:
        self._before: Floats = np.zeros((channels, PREDICTOR_CONTEXT - 1, BANDS), dtype=np.float32)

    def of(self, energies: Floats) -> Floats:
        """Return levels [C, F, LEVELS] at the next hops, which have these band energies
        [C, F, BANDS]. Levels are logarithms relative to the highest, see
        `filterbank.relative_levels`."""
        joined = np.concatenate([self._before, energies], axis=1)
        self._before = joined[:, energies.shape[1] :]
        logarithms = np.log(joined + ENERGY_OFFSET)
        around = np.lib.stride_tricks.sliding_window_view(logarithms, PREDICTOR_CONTEXT, axis=1)
        return relative_levels(around.reshape(*energies.shape[:2], -1))
