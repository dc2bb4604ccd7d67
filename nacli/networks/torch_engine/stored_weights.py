"""Weights as checkpoints store them, and as torch has them.

The two differ in the matrices of linear layers: they are [inputs, outputs] in a checkpoint and
[outputs, inputs] in torch. Recurrent layers, whose tensors torch names, keep its order.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nacli.tensor_file import Tensors

NOT_LINEAR = ("mix.weight", "stage_feature.weight")
"""Ends of the names of all other matrices: those of depthwise convolutions and of the embedding."""


def from_checkpoint(tensors: Tensors) -> dict[str, Tensor]:
    """Return tensors of a checkpoint as float32 weights in the order of torch."""
    weights = {name: torch.from_numpy(tensor.astype("f4")) for name, tensor in tensors.items()}
    return {name: _transposed(name, weight) for name, weight in weights.items()}


def to_checkpoint(weights: Mapping[str, Tensor]) -> Tensors:
    """Return weights in the order of torch as float16 tensors of a checkpoint."""
    return {name: _transposed(name, weight.half()).numpy() for name, weight in weights.items()}


def _transposed(name: str, weight: Tensor) -> Tensor:
    """Return a weight in the other order."""
    linear = name.endswith(".weight") and weight.ndim == 2 and not name.endswith(NOT_LINEAR)
    return weight.T.contiguous() if linear else weight
