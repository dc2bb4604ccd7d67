"""The Decoder's layers from sub-frames [B, T, channels] to samples [B, T * stride, features]."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.networks.torch_engine.layers import SLOPE, CausalConv, History


class Subpixel(nn.Linear):
    """A linear layer from the channels of a sub-frame to all its samples. Before training,
    feature 0 is the exact transform."""

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
    """A transposed convolution whose kernel is two strides long: each sub-frame also contributes to
    the samples of the next one. Before training, that half is zero, and feature 0 is the exact
    transform."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.overlap = nn.Linear(self.in_features, self.out_features, bias=False)
        nn.init.zeros_(self.overlap.weight)

    def forward(self, x: Tensor, history: History) -> Tensor:  # type: ignore[override]
        previous = self.overlap(history.extend(self, x, 1)[:, :-1])
        current = super().forward(x, history)
        return current + previous.unflatten(2, (-1, self.features)).flatten(1, 2)


class Interpolation(nn.Module):
    """Steps of repetition and causal convolution, each with fewer features, as in the variants of
    SEANet with resizing.

    Its initial weights are random, because a fixed convolution of repeated sub-frames cannot be the
    exact inverse transform.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stride, channels, features = _sizes(config)
        self.factors = step_factors(stride)
        widths = [max(features, channels >> step) for step in range(len(self.factors))]
        # With one tap more than repetitions, no two samples of a step have the same inputs.
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
    """Return at most four factors of a stride in ascending order. They are its prime factors, of
    which the two smallest are multiplied until four are left: 80 gives 2, 2, 4, 5."""
    factors, rest = [], stride
    for prime in range(2, stride + 1):
        while rest % prime == 0:
            factors.append(prime)
            rest //= prime
    while len(factors) > 4:
        factors = sorted([factors[0] * factors[1], *factors[2:]])
    return factors


def upsampling(config: ModelConfig) -> nn.Module:
    """Return the upsampling layer that the configuration names."""
    kinds = {"subpixel": Subpixel, "transposed": Transposed, "interpolation": Interpolation}
    return kinds[config.upsampling](config)


def _sizes(config: ModelConfig) -> tuple[int, int, int]:
    """Return the stride, the channels of sub-frames and the features of samples."""
    return config.strides[0], config.subframe_channels, config.feature_channels
