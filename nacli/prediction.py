"""What the trim of a span is expected to be, from the one before it and what was decoded so far.

Trims are mostly like the ones before them, and what the quantiser loses follows from what it kept:
a small network that knows both leaves less for codes to say.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nacli.levels import BANDS, NOTHING, against_highest

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

SEEN = 5
"""Hops, the last of a span and those before it, whose levels are known."""
LIMIT = 4.0
"""Of trims either way; no encoder comes near, and a crafted file shall not make sound infinite."""

Expect = Callable[[int, Floats], Floats]
"""The trim [BANDS] that is expected of a span, by its number and the trim of the one before it."""


class Prediction(Protocol):
    """A way to expect trims."""

    def of(self, levels: Floats, stages: Integers, span: int) -> Expect:
        """What is expected of spans of so many frames, with the levels [S, SEEN * BANDS] at their
        ends and the most stages [S] of their frames."""


class Fading:
    """Expects a part of the trim before."""

    def __init__(self, memory: float) -> None:
        self._memory = np.float32(memory)

    def of(self, levels: Floats, stages: Integers, span: int) -> Expect:
        return lambda _, before: self._memory * before


class TrimPredictor:
    """A network of two layers between the inputs and what it adds to a part of the trim before."""

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
            raise ValueError("the predictor of trims has layers that do not fit each other")

    def of(self, levels: Floats, stages: Integers, span: int) -> Expect:
        tensors = self._tensors
        inputs = with_stages(levels, stages, span)
        known = inputs @ tensors["levels"] + tensors["bias"]
        before_weight, memory = tensors["before"], tensors["memory"]
        second, second_bias = tensors["second.weight"], tensors["second.bias"]
        last, last_bias = tensors["last.weight"], tensors["last.bias"]

        def expect(number: int, before: Floats) -> Floats:
            x = _relu(known[number] + before.dot(before_weight))
            x = _relu(x.dot(second) + second_bias)
            return limited(x.dot(last) + last_bias + memory * before)

        return expect


def _relu(x: Floats) -> Floats:
    return np.maximum(x, 0, out=x)


def limited(trim: Floats) -> Floats:
    """A trim within LIMIT, in place; np.clip takes several times as long over a few values."""
    return np.minimum(np.maximum(trim, -LIMIT, out=trim), LIMIT, out=trim)


def with_stages(levels: Floats, stages: Integers, span: int) -> Floats:
    """The inputs of the network that are known without the trim before."""
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
        around = np.lib.stride_tricks.sliding_window_view(np.log(joined + NOTHING), SEEN, axis=1)
        return against_highest(around.reshape(*energies.shape[:2], -1))
