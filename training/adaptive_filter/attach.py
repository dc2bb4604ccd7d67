"""The adaptive filter as a part of a checkpoint."""

from __future__ import annotations

from nacli.checkpoint import FILTER, Model
from nacli.tensor_file import Tensors
from training.adaptive_filter.adaptive_filter import AdaptiveFilter


def with_filter(model: Model, network: AdaptiveFilter) -> Tensors:
    """Return the tensors of `model` with the weights of a filter, as float16, in the place of those
    that it has. Raises `BadCheckpoint` where the filter was trained behind another Decoder."""
    kept = {name: t for name, t in model.tensors.items() if not name.startswith(FILTER)}
    weights = {FILTER + name: w.half().numpy() for name, w in network.state_dict().items()}
    Model(model.config, kept | weights)
    return kept | weights
