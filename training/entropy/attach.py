"""The learned entropy model as a part of a checkpoint."""

from __future__ import annotations

import numpy as np

from nacli.checkpoint import LEARNED, Model
from nacli.entropy import LearnedModel
from nacli.tensor_file import Tensors


def with_entropy_model(model: Model, entropy: Tensors) -> Tensors:
    """Return the tensors of `model` with those of an entropy model; empty `entropy` removes it.

    Raises `ValueError` when the entropy model was trained for other codebooks or tables.
    """
    kept = {name: t for name, t in model.tensors.items() if not name.startswith(LEARNED)}
    if not entropy:
        return kept
    LearnedModel(entropy, model.codebooks.entries)
    if not np.array_equal(entropy["gains"], model.tables.gain_table):
        raise ValueError("the entropy model was trained for another checkpoint")
    return kept | {LEARNED + name: t for name, t in entropy.items() if name != "gains"}
