"""Activation functions, normalisation and companding. They work in place and in few steps, because
NumPy makes a pass over the whole array for each step."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from nacli.types import Floats

SLOPE = np.float32(0.2)
"""Factor of negative values in the leaky ReLU."""
NORM_EPSILON = np.float32(1e-5)
"""Added to the variance in the normalisation, as in torch's LayerNorm."""
COMPAND_OFFSET = 0.02
"""Added to magnitudes before companding, so that the power law has a finite slope at zero."""

GELU_RANGE = 6.0
"""Largest magnitude of an input in the table of GELU. Beyond it, GELU is zero or its input, within
1e-8."""
GELU_PIECES = 8192
"""Number of straight pieces in the table of GELU."""
GELU_SCALE = GELU_PIECES / (2 * GELU_RANGE)
"""Pieces per unit of the input of GELU."""
GELU_ROWS = 64
"""Rows that GELU processes at a time, so that intermediate values stay in the cache."""


def leaky_relu(x: Floats, scratch: Floats) -> Floats:
    """Multiply the negative values of `x` by SLOPE, in place. `scratch` has the shape of `x`."""
    np.multiply(x, SLOPE, out=scratch)
    return np.maximum(x, scratch, out=x)


def normalize(x: Floats) -> Floats:
    """Normalize each row of `x` [T, C] to mean 0 and variance 1, in place, as LayerNorm does."""
    ones = np.full(x.shape[1], 1 / x.shape[1], dtype=np.float32)
    x -= (x @ ones)[:, None]
    variance = np.einsum("tc,tc->t", x, x) / np.float32(x.shape[1])
    x *= (1 / np.sqrt(variance + NORM_EPSILON))[:, None]
    return x


def gelu(scaled: Floats) -> Floats:
    """Compute GELU, x Φ(x) (Hendrycks and Gimpel, 2016), in place.

    It is interpolated linearly in a table, with an error of at most 3e-7 plus the rounding to
    float32: NumPy has no erf, and its exp alone takes as long.

    Args:
        scaled: x * GELU_SCALE [T, C]; the weights of the layer before include the factor.

    Returns:
        `scaled`, which now holds GELU of x.
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
    """Return the intercepts and slopes [GELU_PIECES] of the table's pieces, which lie between
    integers from -GELU_PIECES / 2. The first piece, which also serves all smaller values, is zero;
    the last, which also serves all larger values, is the identity."""
    positions = np.arange(GELU_PIECES + 1) - GELU_PIECES / 2
    ends = positions / GELU_SCALE
    values = np.array([_gelu(x) for x in ends.tolist()])
    values[:2], values[-2:] = 0, ends[-2:]
    slopes = np.diff(values)
    intercepts = values[:-1] - slopes * positions[:-1]
    return intercepts.astype(np.float32), slopes.astype(np.float32)


def _gelu(x: float) -> float:
    return x * 0.5 * math.erfc(-x / math.sqrt(2))


def compress(x: Floats, exponent: float) -> Floats:
    """Return `x` companded by a signed power law with a finite slope at zero."""
    powers = np.exp(exponent * np.log(np.abs(x) + np.float32(COMPAND_OFFSET)))
    return np.copysign(powers - np.float32(COMPAND_OFFSET**exponent), x)


def expand(y: Floats, exponent: float) -> Floats:
    """Return the inverse of `compress`."""
    powers = np.exp(np.log(np.abs(y) + np.float32(COMPAND_OFFSET**exponent)) / exponent)
    return np.copysign(powers - np.float32(COMPAND_OFFSET), y)
