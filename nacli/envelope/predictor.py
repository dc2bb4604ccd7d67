"""What the correction of a span is expected to be, from the one before it and what was decoded so far.

Corrections are mostly like the ones before them, and what the quantiser loses follows from what it kept:
a small network that knows both leaves less for codes to say.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.filterbank import BANDS, ENERGY_OFFSET, relative_levels
from nacli.timing import PREDICTOR_CONTEXT
from nacli.types import Floats, Integers

SEEN = PREDICTOR_CONTEXT
"""Hops, the last of a span and those before it, whose levels are known."""
LIMIT = 4.0
"""Of corrections either way; no encoder comes near, and a crafted file shall not make sound infinite."""

Predict = Callable[[int, Floats], Floats]
"""The correction [BANDS] that is expected of a span, by its number and the correction of the one before it."""


class CorrectionPredictor(Protocol):
    """A way to expect corrections."""

    def of(self, levels: Floats, stages: Integers, span: int) -> Predict:
        """What is expected of spans of so many frames, with the levels [S, SEEN * BANDS] at their
        ends and the most stages [S] of their frames."""


class DecayPredictor:
    """Predicts a part of the correction before."""

    def __init__(self, memory: float) -> None:
        self._memory = np.float32(memory)

    def of(self, levels: Floats, stages: Integers, span: int) -> Predict:
        return lambda _, before: self._memory * before


class LearnedPredictor:
    """A network of two layers between the inputs and what it adds to a part of the correction before."""

    def __init__(self, tensors: dict[str, NDArray[np.float16]]) -> None:
        """`levels` [SEEN * BANDS + 2, H] and `before` [BANDS, H] make the first layer, with its
        `bias`; then `second.*` and `last.*`, and `memory` [BANDS]. Raises `KeyError` and
        `ValueError` where they are no such network."""
        self._tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
        names = ("levels", "before", "bias", "second.weight", "second.bias", "last.weight")
        shapes = [self._tensors[name].shape for name in (*names, "last.bias", "memory")]
        sizes = [SEEN * BANDS + 2, *(shapes[n][-1] for n in (2, 4, 6))]
        layers = list(pairwise(sizes))
        wanted = [layers[0], (BANDS, sizes[1]), (sizes[1],), layers[1], (sizes[2],), layers[2]]
        if shapes != [*wanted, (BANDS,), (BANDS,)]:
            raise ValueError("the predictor of corrections has layers that do not fit each other")

    def of(self, levels: Floats, stages: Integers, span: int) -> Predict:
        tensors = self._tensors
        inputs = with_stages(levels, stages, span)
        known = inputs @ tensors["levels"] + tensors["bias"]
        before_weight, memory = tensors["before"], tensors["memory"]
        second, second_bias = tensors["second.weight"], tensors["second.bias"]
        last, last_bias = tensors["last.weight"], tensors["last.bias"]

        def predict(number: int, before: Floats) -> Floats:
            x = np.maximum(known[number] + before @ before_weight, 0)
            x = np.maximum(x @ second + second_bias, 0)
            found: Floats = (x @ last + last_bias + memory * before).clip(-LIMIT, LIMIT)
            return found

        return predict


def with_stages(levels: Floats, stages: Integers, span: int) -> Floats:
    """The inputs of the network that are known without the correction before."""
    columns = np.empty((len(stages), 2), dtype=np.float32)
    columns[:, 0], columns[:, 1] = stages / 8, span == 1
    return np.concatenate([levels, columns], axis=1)


class RecentLevels:
    """The levels of the hops of one stream, each with those of the hops before it."""

    def __init__(self, channels: int) -> None:
        self._before: Floats = np.zeros((channels, SEEN - 1, BANDS), dtype=np.float32)

    def of(self, energies: Floats) -> Floats:
        """Levels [C, F, SEEN * BANDS] at hops with these energies [C, F, BANDS]."""
        joined = np.concatenate([self._before, energies], axis=1)
        self._before = joined[:, energies.shape[1] :]
        around = np.lib.stride_tricks.sliding_window_view(
            np.log(joined + ENERGY_OFFSET), SEEN, axis=1
        )
        return relative_levels(around.reshape(*energies.shape[:2], -1))
