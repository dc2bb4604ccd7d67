"""Layers at the sample rate. They have few features, so each matrix product computes several
samples: convolutions are written as banded matrices, and consecutive linear layers are merged."""

from __future__ import annotations

import math

import numpy as np

from nacli.networks.numpy_engine.activations import leaky_relu
from nacli.networks.numpy_engine.layers import State
from nacli.networks.numpy_engine.weights import FEATURE_KERNEL, HIDDEN_FEATURES, Weights
from nacli.types import Floats

CONTEXT = FEATURE_KERNEL - 1
"""Previous samples on which each output of a convolution depends."""
WINDOW = 16
"""Samples that the Encoder's first convolution computes in one product."""


class Downsampling:
    """The Encoder's layers from samples to sub-frames [S, channels].

    Two convolutions with a leaky ReLU between them and a skip connection around them, then a linear
    layer. The second convolution and the linear layer are merged.
    """

    def __init__(self, weights: Weights, stride: int) -> None:
        self._stride, self._window = stride, math.gcd(stride, WINDOW)
        first = weights["features.first.weight"].transpose(2, 1, 0)  # [K, 1, hidden]
        self._first = banded(first, self._window)
        down = weights["down_samples.weight"]
        down = down.reshape(stride, -1, down.shape[1])
        second = weights["features.second.weight"].transpose(2, 1, 0)  # [K, hidden, features]
        rows = np.zeros((stride + CONTEXT, HIDDEN_FEATURES, down.shape[2]), dtype=np.float32)
        for tap, matrix in enumerate(second):
            rows[tap : tap + stride] += matrix @ down
        self._previous, self._current = _split(rows, CONTEXT)
        self._skip = np.einsum("if,sfc->sc", weights["features.skip.weight"], down)

    def __call__(self, pcm: Floats, state: State) -> Floats:
        """Return sub-frames [S, channels] of samples [S * stride]."""
        hidden = self._hidden(pcm, state)
        y = hidden @ self._current
        last = hidden[:, -len(self._previous) :]
        y += state.extend(self, last, 1)[:-1] @ self._previous
        y += pcm.reshape(-1, self._stride) @ self._skip
        return y

    def _hidden(self, pcm: Floats, state: State) -> Floats:
        """Return the output of the leaky ReLU [S, stride * HIDDEN_FEATURES]."""
        joined = state.extend("samples", pcm, CONTEXT)
        windows = np.lib.stride_tricks.sliding_window_view(joined, self._window + CONTEXT)
        hidden = np.ascontiguousarray(windows[:: self._window]) @ self._first
        return leaky_relu(hidden, np.empty_like(hidden)).reshape(len(pcm) // self._stride, -1)


class Upsampling:
    """The Decoder's layers from sub-frames [S, channels] to samples [S * stride].

    They are those of `Downsampling` in reverse order. The linear layer and the first convolution
    are merged.
    """

    def __init__(self, weights: Weights, stride: int) -> None:
        up = weights["up_samples.weight"]
        up = up.reshape(len(up), stride, -1)
        first = weights["features.first.weight"].transpose(2, 1, 0)  # [K, features, hidden]
        merged = np.zeros((len(up), stride + CONTEXT, HIDDEN_FEATURES), dtype=np.float32)
        for tap, matrix in enumerate(first):
            merged[:, CONTEXT - tap : CONTEXT - tap + stride] += up @ matrix
        parts = np.split(merged, [stride], axis=1)
        self._current, self._next = (part.reshape(len(up), -1) for part in parts)
        second = banded(weights["features.second.weight"].transpose(2, 1, 0), stride)
        context = CONTEXT * HIDDEN_FEATURES
        self._second_previous: Floats = second[:context]
        self._second_current: Floats = second[context:]
        self._skip = (up @ weights["features.skip.weight"])[..., 0]

    def __call__(self, x: Floats, state: State) -> Floats:
        """Return samples [S * stride] of sub-frames [S, channels]."""
        hidden = x @ self._current
        context = self._next.shape[1]
        hidden[:, :context] += state.extend((self, "x"), x, 1)[:-1] @ self._next
        leaky_relu(hidden, np.empty_like(hidden))
        y: Floats = np.matmul(hidden, self._second_current)
        last = hidden[:, -context:]
        y += state.extend((self, "hidden"), last, 1)[:-1] @ self._second_previous
        y += x @ self._skip
        return y.reshape(-1)


def banded(kernel: Floats, steps: int) -> Floats:
    """Return a causal convolution as a banded matrix that computes several steps in one product.

    Args:
        kernel: the weights [K, inputs, outputs].
        steps: the number of steps that the matrix computes.

    Returns:
        The matrix [(K - 1 + steps) * inputs, steps * outputs]. Its rows are the K - 1 previous
        inputs, then those of the steps.
    """
    taps, inputs, outputs = kernel.shape
    matrix = np.zeros((steps + taps - 1, inputs, steps, outputs), dtype=np.float32)
    for step in range(steps):
        matrix[step : step + taps, :, step] = kernel
    return matrix.reshape((steps + taps - 1) * inputs, steps * outputs)


def _split(rows: Floats, at: int) -> list[Floats]:
    """Split `rows` [samples, hidden, channels] at a sample into two parts, and return each as
    [samples * hidden, channels]."""
    return [part.reshape(-1, rows.shape[2]) for part in np.split(rows, [at])]
