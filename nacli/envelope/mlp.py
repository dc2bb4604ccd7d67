"""A multilayer perceptron in NumPy: the small networks of the envelope need no torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.types import Floats


class Mlp:
    """Linear layers with rectified linear units between them, in single precision."""

    def __init__(
        self, tensors: dict[str, NDArray[Any]], layers: Sequence[str], inputs: int, outputs: int
    ) -> None:
        """Take `<layer>.weight` [in, out] and `<layer>.bias` [out] of each layer.

        Raises:
            KeyError: a tensor is missing.
            ValueError: the layers do not fit each other, or the numbers of inputs and outputs.
        """
        self._weights = [tensors[f"{name}.weight"].astype(np.float32) for name in layers]
        self._biases = [tensors[f"{name}.bias"].astype(np.float32) for name in layers]
        sizes = [inputs, *(bias.size for bias in self._biases)]
        shapes = [weight.shape for weight in self._weights]
        flat = all(bias.ndim == 1 for bias in self._biases)
        if shapes != list(pairwise(sizes)) or sizes[-1] != outputs or not flat:
            raise ValueError(f"layers do not fit each other: {', '.join(layers)}")

    def __call__(self, x: Floats) -> Floats:
        """Map inputs [..., in] to outputs [..., out]."""
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            x = x @ weight
            x += bias
            np.maximum(x, 0, out=x)
        x = x @ self._weights[-1]
        x += self._biases[-1]
        return x
