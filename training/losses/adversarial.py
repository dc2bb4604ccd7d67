"""Losses from the outputs of discriminators: for the discriminator and for the Decoder."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor

ScaleOutput = list[tuple[Tensor, Tensor]]
"""Output of one scale of a discriminator: for every layer its activations on the original and on
the decoded sound; the scores come last."""


def discriminator_loss(outputs: list[ScaleOutput]) -> Tensor:
    """Return the squared distance of the scores to 1 for originals and to 0 for decoded sound (Mao
    et al., 2017).

    Unlike the scores of a hinge loss, these keep their scale through the whole training, and
    their gradient at the Decoder fades as the Decoder succeeds.
    """
    losses = [
        (1 - original).square().mean() + decoded.square().mean()
        for original, decoded in _scores(outputs)
    ]
    return torch.stack(losses).mean()


def generator_loss(outputs: list[ScaleOutput]) -> Tensor:
    """Return the squared distance of the scores of decoded sound to 1."""
    return torch.stack([(1 - decoded).square().mean() for _, decoded in _scores(outputs)]).mean()


def feature_matching_loss(outputs: list[ScaleOutput]) -> Tensor:
    """Return the mean absolute difference of activations (Kumar et al., 2019).

    It is relative to the mean magnitude of the original's activations in each layer, so that all
    layers count alike, whatever their scale.
    """
    layers = chain.from_iterable(output[:-1] for output in outputs)
    differences = [
        (original - decoded).abs().mean() / original.abs().mean().clamp_min(1e-3)
        for original, decoded in map(_floats, layers)
    ]
    return torch.stack(differences).mean()


def mean_scores(outputs: list[ScaleOutput]) -> Tensor:
    """Return the mean scores [2] of originals and of decoded sound: near 1 and near 0 while the
    discriminator tells them apart."""
    means = [torch.stack([side.mean() for side in pair]) for pair in _scores(outputs)]
    return torch.stack(means).mean(0).detach()


def _scores(outputs: list[ScaleOutput]) -> list[tuple[Tensor, Tensor]]:
    return [_floats(output[-1]) for output in outputs]


def _floats(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return activations in single precision; layers may give bfloat16."""
    return pair[0].float(), pair[1].float()
