"""The initial weights of the networks (the basis of the MDCT), and companding."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nacli.config import ModelConfig


def mdct_basis(hop: int) -> Tensor:
    """Return the basis of the orthonormal sine-window MDCT: [hop coefficients, 2 * hop samples]."""
    n = torch.arange(2 * hop, dtype=torch.float64)
    k = torch.arange(hop, dtype=torch.float64)[:, None]
    phase = math.pi / hop * (n + 0.5 + hop / 2) * (k + 0.5)
    window = torch.sin(math.pi * (n + 0.5) / (2 * hop))
    return (math.sqrt(2 / hop) * window * torch.cos(phase)).float()


def linear_from(weight: Tensor, bias: bool = False) -> nn.Linear:
    """Return a linear layer with this weight [outputs, inputs] and, if it has a bias, zeros."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias:
            layer.bias.zero_()
    return layer


def spread(basis: Tensor, config: ModelConfig) -> Tensor:
    """Return an MDCT basis [hop, 2 * hop] as weights [hop, 2 * sub-frames * features] for the
    sub-frames of two frames. Features after the first `strides[0]` have weights of zero."""
    samples, per_frame = config.strides
    wide = basis.new_zeros(basis.shape[0], 2 * per_frame, config.subframe_channels)
    wide[:, :, :samples] = basis.view(-1, 2 * per_frame, samples)
    return wide.flatten(1)


def emphasis(config: ModelConfig) -> Tensor:
    """Return the factor [D] of each latent before quantisation, which is 1 up to 100 Hz."""
    frequencies = (torch.arange(config.latent_dim) + 0.5) * config.sample_rate / (2 * config.hop)
    return (100 / frequencies).clamp_max(1) ** config.emphasis


def compress(x: Tensor, exponent: float) -> Tensor:
    """Return `x` companded by a signed power law with a finite slope at zero."""
    offset = 0.02
    return x.sign() * ((x.abs() + offset) ** exponent - offset**exponent)


def expand(y: Tensor, exponent: float) -> Tensor:
    """Return the inverse of `compress`."""
    offset = 0.02
    return y.sign() * ((y.abs() + offset**exponent) ** (1 / exponent) - offset)
