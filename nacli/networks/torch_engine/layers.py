"""Causal layers on tensors [batch, time, features], and their left context, which they do
not hold."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacli.config import ModelConfig

SLOPE = 0.2
"""Factor of negative values in the leaky ReLU. Layers with a leaky ReLU have no biases, so
that their output scales with their input, and quiet and loud recordings are treated alike."""


class History:
    """The left context of each causal layer for one stream: its latest inputs, which are zero
    before the stream starts, or its recurrent state."""

    def __init__(self) -> None:
        self._past: dict[nn.Module, Tensor] = {}

    def copy(self) -> History:
        """Return an independent state that continues from the same point."""
        copied = History()
        copied._past = dict(self._past)
        return copied

    def extend(self, layer: nn.Module, x: Tensor, length: int) -> Tensor:
        """Return `x` [B, T, C] preceded by the `length` steps before it: [B, length + T, C]. The
        last `length` steps are stored for the next call."""
        past = self._past.get(layer)
        if past is None:
            past = x.new_zeros(x.shape[0], length, *x.shape[2:])
        joined = torch.cat([past, x], dim=1)
        self._past[layer] = joined[:, joined.shape[1] - length :].detach()
        return joined

    def recall(self, layer: nn.Module) -> Tensor | None:
        """Return the recurrent state of `layer`; None at the start of the stream."""
        return self._past.get(layer)

    def keep(self, layer: nn.Module, state: Tensor) -> None:
        """Store the recurrent `state` of `layer` for the next call."""
        self._past[layer] = state.detach()


class ShiftMultiply(torch.autograd.Function):
    """A depthwise convolution of [B, T + K - 1, C] with [K, C], as shifts and multiplications.

    On a CPU it is faster than Conv1d, and its own backward pass is faster than that of autograd.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        steps = x.shape[1] - weight.shape[0] + 1
        y = x[:, :steps] * weight[0]
        for tap in range(1, weight.shape[0]):
            y.addcmul_(x[:, tap : tap + steps], weight[tap])
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_x, to_weight, steps = torch.zeros_like(x), torch.empty_like(weight), gradient.shape[1]
        for tap in range(weight.shape[0]):
            to_x[:, tap : tap + steps].addcmul_(gradient, weight[tap])
            to_weight[tap] = (x[:, tap : tap + steps] * gradient).sum((0, 1))
        return to_x, to_weight


class CausalDepthwise(nn.Module):
    """A causal depthwise convolution over time, [B, T, C] to [B, T, C]."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(kernel, channels) / math.sqrt(kernel))

    def forward(self, x: Tensor, history: History) -> Tensor:
        joined = history.extend(self, x, self.weight.shape[0] - 1)
        mixed: Tensor = ShiftMultiply.apply(joined, self.weight)  # type: ignore[no-untyped-call]
        return mixed


class CausalConv(nn.Module):
    """A causal convolution over time without bias, [B, T, inputs] to [B, T, outputs]."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(
            torch.randn(outputs, inputs, kernel) / math.sqrt(inputs * kernel)
        )

    def forward(self, x: Tensor, history: History) -> Tensor:
        x = history.extend(self, x, self.kernel - 1)
        return F.conv1d(x.transpose(1, 2), self.weight).transpose(1, 2)


class FeatureLayers(nn.Module):
    """Two convolutions at the sample rate with a skip connection, [B, T, inputs] to
    [B, T, outputs]. Before training, output 0 is input 0."""

    def __init__(self, inputs: int, outputs: int, hidden: int = 8, kernel: int = 7) -> None:
        super().__init__()
        self.first = CausalConv(inputs, hidden, kernel)
        self.second = CausalConv(hidden, outputs, kernel)
        self.skip = nn.Linear(inputs, outputs, bias=False)
        with torch.no_grad():
            self.skip.weight.copy_(torch.eye(outputs, inputs))
            self.second.weight[0].zero_()

    def forward(self, x: Tensor, history: History) -> Tensor:
        hidden = F.leaky_relu(self.first(x, history), SLOPE)
        return self.skip(x) + self.second(hidden, history)


class SubframeBlock(nn.Module):
    """A residual block at the sub-frame rate. It has no biases, so its output scales with its
    input."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.mix = CausalDepthwise(channels, kernel)
        self.expand = nn.Linear(channels, 2 * channels, bias=False)
        self.reduce = nn.Linear(2 * channels, channels, bias=False)
        nn.init.zeros_(self.reduce.weight)

    def forward(self, x: Tensor, history: History) -> Tensor:
        return x + self.reduce(F.leaky_relu(self.expand(self.mix(x, history)), SLOPE))


class PairBlock(SubframeBlock):
    """A sub-frame block on pairs of sub-frames: it has half the rate and twice the features."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(2 * channels, kernel)

    def forward(self, x: Tensor, history: History) -> Tensor:
        pairs = x.unflatten(1, (-1, 2)).flatten(2)
        return super().forward(pairs, history).reshape(x.shape)


class FrameBlock(nn.Module):
    """A ConvNeXt block (Liu et al., 2022) at the frame rate, an identity before training."""

    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.mix = CausalDepthwise(width, kernel)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.reduce = nn.Linear(hidden, width)
        nn.init.zeros_(self.reduce.weight)
        nn.init.zeros_(self.reduce.bias)

    def forward(self, x: Tensor, history: History) -> Tensor:
        y = self.norm(self.mix(x, history))
        return x + self.reduce(F.gelu(self.expand(y)))


class WindowAttention(nn.Module):
    """Causal self-attention over the last `window` frames, an identity before training.

    Frames before the start of the stream have keys and values of zero, in training and in streams:
    they get attention weight and add nothing.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, history: History) -> Tensor:
        batch, steps, width = x.shape
        y = self.norm(x)
        query = self._split(self.query(y))
        key, value = self.key_value(history.extend(self, y, self.window)).chunk(2, dim=-1)
        age = torch.arange(steps)[:, None] + self.window - torch.arange(steps + self.window)
        allowed = ((age >= 0) & (age <= self.window)).to(x.device)
        mixed = F.scaled_dot_product_attention(query, self._split(key), self._split(value), allowed)
        return x + self.out(mixed.transpose(1, 2).reshape(batch, steps, width))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class RecurrentLayer(nn.Module):
    """A residual gated recurrent unit (Cho et al., 2014), an identity before training.

    Every frame depends on all frames before it. The state after the last frame is in the `History`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, history: History) -> Tensor:
        y, state = self.gru(self.norm(x), history.recall(self))
        history.keep(self, state)
        return x + self.out(y)


def subframe_layers(config: ModelConfig) -> nn.ModuleList:
    """Return the residual blocks at the sub-frame rate."""
    channels, kernel = config.subframe_channels, config.kernel
    return nn.ModuleList(SubframeBlock(channels, kernel) for _ in range(config.subframe_blocks))


def pair_layers(config: ModelConfig) -> nn.ModuleList:
    """Return the residual blocks on pairs of sub-frames."""
    channels, kernel = config.subframe_channels, config.kernel
    return nn.ModuleList(PairBlock(channels, kernel) for _ in range(config.pair_blocks))


def frame_layers(config: ModelConfig, blocks: int) -> nn.ModuleList:
    """Return the residual layers at the frame rate: blocks, with the configuration's attention
    layers between them and its recurrent layers after them."""
    layers: list[nn.Module] = []
    for index in range(1, blocks + 1):
        layers.append(FrameBlock(config.width, config.hidden, config.kernel))
        if config.attention_every and index % config.attention_every == 0:
            heads, window = config.attention_heads, config.attention_window
            layers.append(WindowAttention(config.width, heads, window))
    layers += [RecurrentLayer(config.width) for _ in range(config.recurrent_layers)]
    return nn.ModuleList(layers)


def run(layers: Iterable[nn.Module], x: Tensor, history: History) -> Tensor:
    """Return the output of a sequence of layers."""
    for layer in layers:
        x = layer(x, history)
    return x
