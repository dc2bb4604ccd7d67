"""Causal layers on [time, channels] of one channel, and the left context that they need."""

from __future__ import annotations

import numpy as np

from nacli.networks.numpy_engine.activations import (
    GELU_SCALE,
    gelu,
    leaky_relu,
    normalize,
)
from nacli.networks.numpy_engine.weights import Weights
from nacli.types import Floats


class State:
    """What each layer of one channel remembers: the inputs that came before, and zeros before the
    stream starts."""

    def __init__(self) -> None:
        self._past: dict[object, Floats] = {}

    def copy(self) -> State:
        """Another channel that goes on from the same place."""
        copied = State()
        copied._past = dict(self._past)  # arrays that are kept are never changed
        return copied

    def extend(self, layer: object, x: Floats, length: int) -> Floats:
        """Put the `length` rows that came before `x` [T, C] in front of it."""
        past = self._past.get(layer)
        if past is None:
            past = np.zeros((length, *x.shape[1:]), dtype=np.float32)
        joined = np.concatenate([past, x])
        self._past[layer] = joined[len(joined) - length :].copy()
        return joined


class Depthwise:
    """Causal depthwise convolution over time, [T, C] to [T, C]."""

    def __init__(self, weight: Floats) -> None:
        """`weight` is [K, C]."""
        self._weight = weight

    def __call__(self, x: Floats, state: State) -> Floats:
        joined = state.extend(self, x, len(self._weight) - 1)
        steps = len(x)
        y, scratch = joined[:steps] * self._weight[0], np.empty_like(x)
        for tap in range(1, len(self._weight)):
            y += np.multiply(joined[tap : tap + steps], self._weight[tap], out=scratch)
        return y


class FrameBlock:
    """ConvNeXt block (Liu et al., 2022). The weights of its LayerNorm, and the scale of the GELU's
    table, are part of the layer between them."""

    def __init__(self, weights: Weights) -> None:
        self._mix = Depthwise(weights["mix.weight"])
        self._expand = weights.linear("expand")
        bias = weights["norm.bias"] @ self._expand + weights["expand.bias"]
        self._bias = np.float32(GELU_SCALE) * bias
        self._expand *= np.float32(GELU_SCALE) * weights["norm.weight"][:, None]
        self._reduce, self._reduce_bias = weights.linear("reduce"), weights["reduce.bias"]

    def __call__(self, x: Floats, state: State) -> Floats:
        """Adds to `x` in place."""
        y = normalize(self._mix(x, state))
        hidden = y @ self._expand
        hidden += self._bias
        np.matmul(gelu(hidden), self._reduce, out=y)
        y += self._reduce_bias
        x += y
        return x


class SubframeBlock:
    """Residual block without biases: it scales with its input."""

    def __init__(self, weights: Weights) -> None:
        self._mix = Depthwise(weights["mix.weight"])
        self._expand, self._reduce = weights.linear("expand"), weights.linear("reduce")

    def __call__(self, x: Floats, state: State) -> Floats:
        """Adds to `x` in place."""
        hidden = self._mix(x, state) @ self._expand
        x += leaky_relu(hidden, np.empty_like(hidden)) @ self._reduce
        return x


def frame_blocks(weights: Weights, count: int) -> list[FrameBlock]:
    """All blocks at the frame rate."""
    return [FrameBlock(weights.under(f"layers.{index}.")) for index in range(count)]


def subframe_blocks(weights: Weights, count: int) -> list[SubframeBlock]:
    """All blocks at the sub-frame rate."""
    return [SubframeBlock(weights.under(f"subframe.{index}.")) for index in range(count)]
