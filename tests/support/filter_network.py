"""Random networks of the adaptive filter that change sound audibly, and do so by what they see."""

from __future__ import annotations

import numpy as np

from nacli.dsp.filterbank import BANDS
from nacli.tensor_file import Tensors

NEIGHBOURS, OTHER_INPUTS = 9, 37
"""Windows whose levels and features the network sees, and its inputs beside these and the
correlations."""


def filter_tensors(features: int, before: int = 4, blocks: int = 2, seed: int = 0) -> Tensors:
    """Return tensors of a network for a Decoder with `features` features."""
    random, width, hidden, projected, kernel = np.random.default_rng(seed), 24, 32, 6, 5
    stretches = before + 2
    inputs = NEIGHBOURS * (BANDS + projected) + stretches * BANDS + OTHER_INPUTS
    layers = {
        "project": (features, 2 * projected),
        "enter": (inputs, width),
        "leave": (width, (1 + stretches) * BANDS),
    }
    tensors: Tensors = {}
    for number in range(blocks):
        layers[f"layers.{number}.expand"] = (width, hidden)
        layers[f"layers.{number}.reduce"] = (hidden, width)
        tensors[f"layers.{number}.mix.weight"] = random.normal(size=(kernel, width)) / 2
        tensors[f"layers.{number}.norm.weight"] = 1 + random.normal(size=width) / 4
        tensors[f"layers.{number}.norm.bias"] = random.normal(size=width) / 4
    for name, shape in layers.items():
        tensors[f"{name}.weight"] = random.normal(size=shape) / np.sqrt(shape[0])
        tensors[f"{name}.bias"] = random.normal(size=shape[1]) / 4
    tensors["project.weight"] /= 16
    tensors["leave.weight"] /= 8
    tensors["leave.bias"] /= 4
    return {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
