"""The adaptive filter, and the Decoder that was trained with it, as parts of a checkpoint."""

from __future__ import annotations

import torch
from torch import Tensor

from nacli.checkpoint import FILTER, Model
from nacli.dsp.filterbank import BANDS
from nacli.networks.torch_engine import from_checkpoint, to_checkpoint
from nacli.tensor_file import Tensors

Weights = dict[str, Tensor]
"""Weights in the order of torch, by their names in a checkpoint."""


def mean_weights(rows: list[Weights]) -> Weights:
    """Return the mean of the weights of several trainings (Wortsman et al., 2022). Raises
    `ValueError` where they are of different networks."""
    if any(_shapes(row) != _shapes(rows[0]) for row in rows):
        raise ValueError("the runs trained different networks")
    return {name: torch.stack([row[name] for row in rows]).mean(0) for name in rows[0]}


def with_weights(model: Model, weights: Weights, share: float, level_exponent: float) -> Tensors:
    """Return the tensors of `model` with weights of a filter, and of a Decoder if there are some,
    in the place of those that it has.

    Args:
        share: the share of `weights` in the result; the rest of each weight is the model's own.
        level_exponent: see `_with_level_exponent`.

    Raises:
        BadCheckpoint: the filter was trained behind another Decoder.
        ValueError: weights are to be averaged with those of another network.
    """
    kept = {name: t for name, t in model.tensors.items() if not name.startswith(FILTER)}
    if share < 1:
        tensors = {name: model.tensors[name] for name in weights if name in model.tensors}
        own = from_checkpoint(tensors)
        if _shapes(own) != _shapes(weights):
            raise ValueError("the checkpoint has another network, so there is no mean")
        weights = {name: torch.lerp(own[name], weight, share) for name, weight in weights.items()}
    weights = _with_level_exponent(weights, level_exponent)
    tensors = kept | to_checkpoint(weights)
    Model(model.config, tensors)
    return tensors


def _with_level_exponent(weights: Weights, exponent: float) -> Weights:
    """Return weights of a filter that raises its levels of bands to a power, before it limits them.

    The first outputs of the network are the logarithms of levels. An exponent below 1 takes back a
    part of what reconstruction losses lower where the sound is uncertain.
    """
    leave = {
        name: weights[name].clone() for name in (FILTER + "leave.weight", FILTER + "leave.bias")
    }
    for weight in leave.values():
        weight[:BANDS] *= exponent
    return weights | leave


def _shapes(weights: Weights) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}
