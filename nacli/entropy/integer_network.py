"""A small network in integer arithmetic: from context to the frequencies of the next code.

The result must be the same on every machine. Weights are int8 and activations lie within +-127, so
a sum of at most 1024 products stays under 2**24, where float32 represents every integer: BLAS may
add in any order, with any number of threads, and the result is exact. This bound is checked against
the actual weights when they are loaded. Divisions are by powers of two, or in float64 where the
floor of the rounded quotient equals that of the exact one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.frequencies import PRECISION_BITS
from nacli.types import Floats

Tensors = dict[str, NDArray[Any]]

LIMIT = 127
"""Largest magnitude of inputs, weights and activations."""
EXACT = 1 << 24
"""Integers below this are exact in float32."""
MAX_WEIGHT_SUM = 1 << 29
"""Largest sum of the exponentials of a row: times 2**24 it is at most 2**53, exact in float64."""


class Network:
    """Computes the logits of the next code, from the inputs of its frame and from its own inputs.

    All arrays hold integers, stored as float32 for BLAS. The arrays of each layer are scaled by a
    power of two, which keeps them exact.
    """

    def __init__(self, tensors: Tensors) -> None:
        """Prepare the weights.

        Args:
            tensors: as in `learned_model.LAYOUT`; the caller checks their shapes.

        Raises:
            ValueError: a sum might not be exact.
        """
        shifts = [int(shift) for shift in tensors["shifts"]]
        if not all(1 <= shift <= 16 for shift in shifts):
            raise ValueError("a shift of the entropy network is out of range")
        _check_tensors(tensors, shifts)

        def scaled(name: str, layer: int) -> Floats:
            return tensors[name].astype(np.float32) * np.float32(2.0 ** -shifts[layer])

        half = np.float32(0.5)
        self._frame, self._frame_bias = scaled("frame", 0), scaled("frame_bias", 0)
        self._own, self._own_bias = scaled("own", 0), scaled("own_bias", 0) + half
        self._hidden, self._hidden_bias = scaled("hidden", 1), scaled("hidden_bias", 1) + half
        self._last, self._last_bias = scaled("last", 2), scaled("last_bias", 2) + half
        self._outputs = np.ascontiguousarray(scaled("outputs", 3).transpose(0, 2, 1))
        self._prior = tensors["prior"].astype(np.float32) + half
        self._exp2 = tensors["exp2"].astype(np.float64)

    def frame_sums(self, inputs: Floats, positions: NDArray[np.intp]) -> Floats:
        """Return the part of the first layer [M, H] that all codes of a frame have in common.

        Args:
            inputs: inputs of frames [M, I].
            positions: positions of the frames in the period of the coding order [M].
        """
        return inputs @ self._frame + self._frame_bias[positions]

    def features(self, frame_sums: Floats, own: Floats, stages: int | NDArray[np.intp]) -> Floats:
        """Return the inputs of the last layer [M, width] for codes with these `frame_sums` [M, H]
        and inputs of their own [M, I], of one stage or of a stage each [M]."""
        x = own @ self._own
        x += frame_sums
        x += self._own_bias[stages]
        x = _activate(x, 0) @ self._hidden
        x += self._hidden_bias[stages]
        x = _activate(x, 0) @ self._last
        x += self._last_bias[stages]
        return _activate(x, -LIMIT)

    def logits(self, features: Floats, stage: int, out: Floats | None = None) -> Floats:
        """Return the logits [M, size] of the codes of a stage with these `features` [M, width]:
        integers in units of 1/16 bit."""
        x = np.matmul(features, self._outputs[stage], out=out)
        x += self._prior[stage]
        return np.floor(x, out=x)

    def weights(self, logits: Floats) -> NDArray[np.float64]:
        """Return integers [M, size] in proportion to the probabilities, by a table of 2**-x."""
        distance = (logits.max(1, keepdims=True) - logits).astype(np.intp)
        return self._exp2.take(distance, mode="clip")

    def frequencies_less_one(self, logits: Floats) -> NDArray[np.float64]:
        """Return frequencies [M, size] that sum to 2**24, each less the one that every code has.

        The most probable code, the first of several, gets the remainder of the division.
        """
        shares = self.weights(logits)
        free = (1 << PRECISION_BITS) - shares.shape[1]
        total = shares.sum(1, keepdims=True)
        # numerators stay under 2**53, where the floor of a rounded quotient is that of the quotient
        shares *= free
        shares /= total
        np.floor(shares, out=shares)
        shares[np.arange(len(shares)), logits.argmax(1)] += free - shares.sum(1)
        return shares

    def bits(self, logits: Floats, codes: NDArray[np.int32]) -> NDArray[np.float64]:
        """Estimate the bits of codes [M] to within a hundredth of a bit."""
        weights = self.weights(logits)
        own = np.maximum(weights[np.arange(len(codes)), codes], 1)
        bits = np.log2(weights.sum(1)) - np.log2(own)
        return np.minimum(bits, PRECISION_BITS)


def _activate(x: Floats, low: int) -> Floats:
    """Compute (sum + 2**(shift - 1)) >> shift, clipped to `low`..LIMIT; `x` already contains the
    shift and the half. Exact, because the sum before the shift is below 2**24."""
    np.floor(x, out=x)
    np.maximum(x, low, out=x)  # np.clip takes twice as long over small arrays
    return np.minimum(x, LIMIT, out=x)


def _check_tensors(tensors: Tensors, shifts: list[int]) -> None:
    """Raise `ValueError` unless every sum is exact, whatever the inputs."""
    first = np.concatenate([tensors["frame"], tensors["own"]])
    first_bias = np.abs(tensors["frame_bias"].astype(np.float64)).max()
    _check_sums(first, first_bias + _largest(tensors["own_bias"]), shifts[0])
    _check_sums(tensors["hidden"], _largest(tensors["hidden_bias"]), shifts[1])
    _check_sums(tensors["last"], _largest(tensors["last_bias"]), shifts[2])
    prior = _largest(tensors["prior"]) * 2.0 ** shifts[3]
    for outputs in tensors["outputs"]:
        _check_sums(outputs.T, prior, shifts[3])
    exp2, size = tensors["exp2"].astype(np.float64), tensors["outputs"].shape[1]
    if exp2[0] < 1 or (np.diff(exp2) > 0).any() or exp2[0] * size > MAX_WEIGHT_SUM:
        raise ValueError(
            "the exp2 table of the entropy network starts below 1, rises, or has too large a sum"
        )


def _largest(bias: NDArray[Any]) -> float:
    """Return the largest magnitude of a bias."""
    return float(np.abs(bias.astype(np.float64)).max())


def _check_sums(weights: NDArray[Any], bias: float, shift: int) -> None:
    """Raise `ValueError` unless the sums of weights [I, O], with any allowed inputs and a bias of
    at most `bias`, are exact."""
    sizes = np.abs(weights.astype(np.float32))  # sums of fewer than 2**17 are exact
    if (
        sizes.max() > LIMIT
        or LIMIT * float(sizes.sum(0).max()) + bias + (1 << (shift - 1)) >= EXACT
    ):
        raise ValueError("a sum of the entropy network might not be exact")
