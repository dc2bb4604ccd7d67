"""Causal layers on arrays [time, ..., features], and their left context. Layers on frames run on
all audio channels of a stream at once [time, channels, features], others on one channel."""

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
    """The left context of each layer: its latest inputs, which are zero before the stream
    starts."""

    def __init__(self) -> None:
        self._past: dict[object, Floats] = {}

    def copy(self) -> State:
        """Return an independent state that continues from the same point."""
        copied = State()
        copied._past = dict(self._past)  # these arrays are never changed, so they can be shared
        return copied

    def extend(self, layer: object, x: Floats, length: int) -> Floats:
        """Return `x` [T, ...] preceded by the `length` rows before it: [length + T, ...]. The last
        `length` rows are stored for the next call."""
        past = self._past.get(layer)
        if past is None:
            past = np.zeros((length, *x.shape[1:]), dtype=np.float32)
        joined = np.concatenate([past, x])
        self._past[layer] = joined[len(joined) - length :].copy()
        return joined


class History:
    """The state of a stream.

    Attributes:
        frames: the state of the layers on frames, which run on all channels together.
        channels: the state of the layers on samples and sub-frames, by channel.
    """

    def __init__(self) -> None:
        self.frames = State()
        self.channels: list[State] = []

    def open(self, channels: int) -> None:
        """Begin with this number of channels, which is the same in each call."""
        self.channels = self.channels or [State() for _ in range(channels)]

    def copy(self) -> History:
        """Return an independent state that continues from the same point."""
        copied = History()
        copied.frames = self.frames.copy()
        copied.channels = [state.copy() for state in self.channels]
        return copied


def rows(x: Floats) -> Floats:
    """Return values [T, n, C] of n channels as the rows of one matrix [T * n, C]."""
    return x.reshape(-1, x.shape[-1])


class Depthwise:
    """A causal depthwise convolution over time, [T, ..., C] to [T, ..., C]."""

    def __init__(self, weight: Floats) -> None:
        """`weight` is [K, C]: one kernel of K taps per feature."""
        self._weight = weight

    def __call__(self, x: Floats, state: State) -> Floats:
        joined = state.extend(self, x, len(self._weight) - 1)
        steps = len(x)
        y, scratch = joined[:steps] * self._weight[0], np.empty_like(x)
        for tap in range(1, len(self._weight)):
            y += np.multiply(joined[tap : tap + steps], self._weight[tap], out=scratch)
        return y


class FrameBlock:
    """A ConvNeXt block (Liu et al., 2022) at the frame rate. The weights of its LayerNorm and the
    scale of the table of GELU are part of the linear layer between the two."""

    def __init__(self, weights: Weights) -> None:
        self._mix = Depthwise(weights["mix.weight"])
        self._expand = weights["expand.weight"]
        bias = weights["norm.bias"] @ self._expand + weights["expand.bias"]
        self._bias = np.float32(GELU_SCALE) * bias
        self._expand *= np.float32(GELU_SCALE) * weights["norm.weight"][:, None]
        self._reduce, self._reduce_bias = weights["reduce.weight"], weights["reduce.bias"]

    def __call__(self, x: Floats, state: State) -> Floats:
        """Add the block's branch to `x` [T, n, C] in place, and return `x`. The n audio channels
        share each product: the weights are read from memory once."""
        y = normalize(rows(self._mix(x, state)))
        hidden = y @ self._expand
        hidden += self._bias
        np.matmul(gelu(hidden), self._reduce, out=y)
        y += self._reduce_bias
        x += y.reshape(x.shape)
        return x


class SubframeBlock:
    """A residual block at the sub-frame rate. Its output scales with its input, since it has no
    biases."""

    def __init__(self, weights: Weights) -> None:
        self._mix = Depthwise(weights["mix.weight"])
        self._expand, self._reduce = weights["expand.weight"], weights["reduce.weight"]

    def __call__(self, x: Floats, state: State) -> Floats:
        """Add the block's branch to `x` [T, C] in place, and return `x`."""
        hidden = self._mix(x, state) @ self._expand
        x += leaky_relu(hidden, np.empty_like(hidden)) @ self._reduce
        return x


def frame_blocks(weights: Weights, count: int) -> list[FrameBlock]:
    """Return the `count` blocks at the frame rate."""
    return [FrameBlock(weights.under(f"layers.{index}.")) for index in range(count)]


def subframe_blocks(weights: Weights, count: int) -> list[SubframeBlock]:
    """Return the `count` blocks at the sub-frame rate."""
    return [SubframeBlock(weights.under(f"subframe.{index}.")) for index in range(count)]
