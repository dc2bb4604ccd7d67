"""Layers at the sample rate. They have few channels, so several samples go through each product
together: convolutions become the banded matrices that they are, and linear layers that follow each
other become one."""

from __future__ import annotations

import math

import numpy as np

from nacli.networks.numpy_engine.activations import leaky_relu
from nacli.networks.numpy_engine.layers import State
from nacli.networks.numpy_engine.weights import FEATURE_KERNEL, HIDDEN_FEATURES, Weights
from nacli.types import Floats

CONTEXT = FEATURE_KERNEL - 1
"""Samples before one that a convolution sees."""
WINDOW = 16
"""Samples that the Encoder's first convolution makes at a time."""


class Downsampling:
    """The Encoder's features and the linear layer over them: samples to sub-frames [S, channels].

    Two convolutions with a leaky ReLU between them, and a skip connection around them. What follows
    the leaky ReLU is linear.
    """

    def __init__(self, weights: Weights, stride: int) -> None:
        self._stride, self._window = stride, math.gcd(stride, WINDOW)
        first = weights["features.first.weight"].transpose(2, 1, 0)  # [K, 1, hidden]
        self._first = banded(first, self._window)
        down = weights.linear("down_samples").reshape(
            stride, -1, len(weights["down_samples.weight"])
        )
        second = weights["features.second.weight"].transpose(2, 1, 0)  # [K, hidden, features]
        rows = np.zeros((stride + CONTEXT, HIDDEN_FEATURES, down.shape[2]), dtype=np.float32)
        for tap, matrix in enumerate(second):
            rows[tap : tap + stride] += matrix @ down
        self._before, self._own = _split(rows, CONTEXT)
        self._skip = np.einsum("fi,sfc->sc", weights["features.skip.weight"], down)

    def __call__(self, pcm: Floats, state: State) -> Floats:
        """`pcm` [S * stride]."""
        hidden = self._hidden(pcm, state)
        y = hidden @ self._own
        last = hidden[:, -len(self._before) :]
        y += state.extend(self, last, 1)[:-1] @ self._before
        y += pcm.reshape(-1, self._stride) @ self._skip
        return y

    def _hidden(self, pcm: Floats, state: State) -> Floats:
        """Between the convolutions [S, stride * hidden]."""
        joined = state.extend("samples", pcm, CONTEXT)
        windows = np.lib.stride_tricks.sliding_window_view(joined, self._window + CONTEXT)
        hidden = np.ascontiguousarray(windows[:: self._window]) @ self._first
        return leaky_relu(hidden, np.empty_like(hidden)).reshape(len(pcm) // self._stride, -1)


class Upsampling:
    """The Decoder's way back: sub-frames [S, channels] to samples [S * stride]. What comes before
    the leaky ReLU is linear."""

    def __init__(self, weights: Weights, stride: int) -> None:
        up = weights["up_samples.weight"].reshape(stride, -1, weights["up_samples.weight"].shape[1])
        first = weights["features.first.weight"].transpose(2, 0, 1)  # [K, hidden, features]
        rows = np.zeros((stride + CONTEXT, HIDDEN_FEATURES, up.shape[2]), dtype=np.float32)
        for tap, matrix in enumerate(first):
            rows[CONTEXT - tap : CONTEXT - tap + stride] += matrix @ up
        self._own, self._next = (np.ascontiguousarray(part.T) for part in _split(rows, stride))
        second = banded(weights["features.second.weight"].transpose(2, 1, 0), stride)
        before = CONTEXT * HIDDEN_FEATURES
        self._last_before: Floats = second[:before]
        self._last: Floats = second[before:]
        skip = np.einsum("of,sfc->cs", weights["features.skip.weight"], up)
        self._skip = np.ascontiguousarray(skip)

    def __call__(self, x: Floats, state: State) -> Floats:
        hidden = x @ self._own
        before = self._next.shape[1]
        hidden[:, :before] += state.extend((self, "x"), x, 1)[:-1] @ self._next
        leaky_relu(hidden, np.empty_like(hidden))
        y: Floats = np.matmul(hidden, self._last)
        y += state.extend((self, "hidden"), hidden[:, -before:], 1)[:-1] @ self._last_before
        y += x @ self._skip
        return y.reshape(-1)


def banded(kernel: Floats, steps: int) -> Floats:
    """A causal convolution [K, inputs, outputs] as the matrix that makes so many steps at once of
    these and the K - 1 before [(steps + K - 1) * inputs, steps * outputs]."""
    taps, inputs, outputs = kernel.shape
    matrix = np.zeros((steps + taps - 1, inputs, steps, outputs), dtype=np.float32)
    for step in range(steps):
        matrix[step : step + taps, :, step] = kernel
    return matrix.reshape((steps + taps - 1) * inputs, steps * outputs)


def _split(rows: Floats, at: int) -> list[Floats]:
    """Parts of [samples, hidden, channels], each as [samples * hidden, channels]."""
    return [part.reshape(-1, rows.shape[2]) for part in np.split(rows, [at])]
