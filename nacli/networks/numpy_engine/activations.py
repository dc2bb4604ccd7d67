"""What happens to values one by one, in place: NumPy makes a pass over an array for each step, so
there are as few steps as possible."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from nacli.types import Floats

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


def gelu(scaled: Floats) -> Floats:
    """x Φ(x) (Hendrycks and Gimpel, 2016) of values times GELU_SCALE [T, C], in place. A layer
    before it has the scale in its weights.

    A table of straight pieces, within 3e-7 and what float32 rounds off: NumPy has no erf, and its
    exp alone takes as long.
    """
    intercepts, slopes = _gelu_pieces()
    shape = (min(GELU_ROWS, len(scaled)), scaled.shape[1])
    indices, scratch = np.empty(shape, dtype=np.intp), np.empty(shape, dtype=np.float32)
    for start in range(0, len(scaled), GELU_ROWS):
        part = scaled[start : start + GELU_ROWS]
        index, out = indices[: len(part)], scratch[: len(part)]
        np.copyto(index, np.add(part, np.float32(GELU_PIECES / 2), out=out), casting="unsafe")
        part *= slopes.take(index, out=out, mode="clip")
        part += intercepts.take(index, out=out, mode="clip")
    return scaled


@cache
def _gelu_pieces() -> tuple[Floats, Floats]:
    """Intercepts and slopes of the pieces between whole numbers, from -GELU_PIECES / 2 on. The
    first is zero, the last is the value itself, also for all values beyond."""
    places = np.arange(GELU_PIECES + 1) - GELU_PIECES / 2
    ends = places / GELU_SCALE
    values = np.array([_gelu(x) for x in ends.tolist()])
    values[:2], values[-2:] = 0, ends[-2:]
    slopes = np.diff(values)
    intercepts = values[:-1] - slopes * places[:-1]
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
