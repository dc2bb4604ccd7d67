"""From sub-frames to samples in the Decoder: [B, T, channels] to [B, T * stride, features]."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.networks.torch_engine.layers import SLOPE, CausalConv, History


class Subpixel(nn.Linear):
    """All samples of a sub-frame from its channels. Feature 0 starts as the exact transform."""

    def __init__(self, config: ModelConfig) -> None:
        stride, channels, features = _sizes(config)
        polyphase = torch.randn(stride, features, channels) / math.sqrt(channels)
        polyphase[:, 0] = torch.eye(stride, channels)
        super().__init__(channels, stride * features, bias=False)
        self.features = features
        with torch.no_grad():
            self.weight.copy_(polyphase.flatten(0, 1))

    def forward(self, x: Tensor, history: History) -> Tensor:  # type: ignore[override]
        return super().forward(x).unflatten(2, (-1, self.features)).flatten(1, 2)


class Transposed(Subpixel):
    """Transposed convolution, its kernel two strides long: a sub-frame also adds to the samples of
    the next one. That half starts at zero, and the whole as the exact transform."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.overlap = nn.Linear(self.in_features, self.out_features, bias=False)
        nn.init.zeros_(self.overlap.weight)

    def forward(self, x: Tensor, history: History) -> Tensor:  # type: ignore[override]
        before = self.overlap(history.extend(self, x, 1)[:, :-1])
        own = super().forward(x, history)
        return own + before.unflatten(2, (-1, self.features)).flatten(1, 2)


class Interpolation(nn.Module):
    """Steps of repetition and causal convolution, with fewer channels from step to step, as in
    SEANet's resizing variants.

    Unlike the others it cannot start as the exact transform: repeated samples are no basis that a
    fixed convolution turns back into any waveform. It starts at random, and everything after it
    with it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stride, channels, features = _sizes(config)
        self.factors = step_factors(stride)
        widths = [max(features, channels >> step) for step in range(len(self.factors))]
        # one tap more than repeats: the fewest with which no two samples of a step are the same
        self.steps = nn.ModuleList(
            CausalConv(inputs, outputs, factor + 1)
            for factor, (inputs, outputs) in zip(
                self.factors, pairwise([*widths, features]), strict=True
            )
        )

    def forward(self, x: Tensor, history: History) -> Tensor:
        for index, (factor, step) in enumerate(zip(self.factors, self.steps, strict=True)):
            x = F.leaky_relu(x, SLOPE) if index else x
            x = step(x.repeat_interleave(factor, dim=1), history)
        return x


def step_factors(stride: int) -> list[int]:
    """At most four factors of a stride, ascending: its primes, the smallest two joined until they
    are few enough (80 is 2, 2, 4, 5)."""
    factors, rest = [], stride
    for prime in range(2, stride + 1):
        while rest % prime == 0:
            factors.append(prime)
            rest //= prime
    while len(factors) > 4:
        factors = sorted([factors[0] * factors[1], *factors[2:]])
    return factors


def upsampling(config: ModelConfig) -> nn.Module:
    """The layer that the configuration names."""
    kinds = {"subpixel": Subpixel, "transposed": Transposed, "interpolation": Interpolation}
    return kinds[config.upsampling](config)


def _sizes(config: ModelConfig) -> tuple[int, int, int]:
    return config.strides[0], config.subframe_channels, config.feature_channels
