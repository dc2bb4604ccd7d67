"""What happens to values one by one, in place: NumPy makes a pass over an array for each step, so
there are as few steps as possible."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SLOPE = np.float32(0.2)
"""Of the leaky ReLU."""
NORM_EPSILON = np.float32(1e-5)
COMPAND_OFFSET = 0.02
"""Gives the power law of companding a finite slope at zero."""

GELU_RANGE = 6.0
"""Beyond it GELU is zero, or the value itself, within 1e-8."""
GELU_PIECES = 8192
GELU_SCALE = GELU_PIECES / (2 * GELU_RANGE)
GELU_ROWS = 64
"""Rows at a time, so that what is between the steps stays in the cache."""


def leaky_relu(x: Floats, scratch: Floats) -> Floats:
    """`x` with its negative values times SLOPE, in place; `scratch` is as large."""
    np.multiply(x, SLOPE, out=scratch)
    return np.maximum(x, scratch, out=x)


def normalize(x: Floats) -> Floats:
    """Rows [T, C] with mean 0 and variance 1, in place: LayerNorm without weights."""
    ones = np.full(x.shape[1], 1 / x.shape[1], dtype=np.float32)
    x -= (x @ ones)[:, None]
    variance = np.einsum("tc,tc->t", x, x) / np.float32(x.shape[1])
    x *= (1 / np.sqrt(variance + NORM_EPSILON))[:, None]
    return x


def gelu_places(x: Floats) -> Floats:
    """Where values lie in the table of `gelu`. A layer before it has this in its weights."""
    return (x * GELU_SCALE + GELU_PIECES / 2).astype(np.float32)


def gelu(places: Floats) -> Floats:
    """x Φ(x) (Hendrycks and Gimpel, 2016) of the values at these places [T, C], in place.

    A table of straight pieces, within 6e-7: NumPy has no erf, and its exp alone takes as long.
    """
    intercepts, slopes = _gelu_pieces()
    shape = (min(GELU_ROWS, len(places)), places.shape[1])
    indices, found = np.empty(shape, dtype=np.intp), np.empty(shape, dtype=np.float32)
    for start in range(0, len(places), GELU_ROWS):
        part = places[start : start + GELU_ROWS]
        index, out = indices[: len(part)], found[: len(part)]
        np.copyto(index, part, casting="unsafe")
        part *= slopes.take(index, out=out, mode="clip")
        part += intercepts.take(index, out=out, mode="clip")
    return places


@cache
def _gelu_pieces() -> tuple[Floats, Floats]:
    """Intercepts and slopes of the pieces between whole places. The first is zero, the last is the
    value itself, also for all values beyond."""
    ends = np.arange(GELU_PIECES + 1) / GELU_SCALE - GELU_RANGE
    values = np.array([_gelu(x) for x in ends.tolist()])
    values[:2], values[-2:] = 0, ends[-2:]
    slopes = np.diff(values)
    intercepts = values[:-1] - slopes * np.arange(GELU_PIECES)
    return intercepts.astype(np.float32), slopes.astype(np.float32)


def _gelu(x: float) -> float:
    return x * 0.5 * math.erfc(-x / math.sqrt(2))


def compress(x: Floats, exponent: float) -> Floats:
    """Signed power law with a finite slope at zero."""
    powers = np.exp(exponent * np.log(np.abs(x) + np.float32(COMPAND_OFFSET)))
    return np.copysign(powers - np.float32(COMPAND_OFFSET**exponent), x)


def expand(y: Floats, exponent: float) -> Floats:
    """The inverse of `compress`."""
    powers = np.exp(np.log(np.abs(y) + np.float32(COMPAND_OFFSET**exponent)) / exponent)
    return np.copysign(powers - np.float32(COMPAND_OFFSET), y)
