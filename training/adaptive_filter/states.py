"""States of the training of the adaptive filter on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from torch import Tensor

from nacli.checkpoint import FILTER
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterConfig
from training.adaptive_filter.decoder_chain import PREFIX
from training.loop.states import load_state


def load_filter_state(path: Path) -> dict[str, Any]:
    """Load a state of a run. Raises `click.ClickException` where it is one of another training."""
    state = load_state(path, "cpu")
    if not state.keys() >= {"config", "filter", "average"}:
        raise click.ClickException(f"{path}: not a state of scripts/train_filter.py")
    return state


def checkpoint_weights(path: Path) -> dict[str, Tensor]:
    """Return the averaged weights of a state, by their names in a checkpoint: the filter's, and the
    Decoder's where it learned."""
    state = load_filter_state(path)
    parts = ((FILTER, state["average"]), (PREFIX, state.get("decoder_average", {})))
    return {prefix + name: x for prefix, part in parts for name, x in part.items()}


def load_decoder_weights(path: Path) -> dict[str, Tensor]:
    """Return the averaged weights of the Decoder of a state; none where it did not learn."""
    weights: dict[str, Tensor] = load_filter_state(path).get("decoder_average", {})
    return weights


def load_filter(path: Path) -> AdaptiveFilter:
    """Return the filter of a state with its averaged weights."""
    state = load_filter_state(path)
    network = AdaptiveFilter(FilterConfig(**state["config"]))
    network.load_state_dict(state["average"])
    return network.eval().requires_grad_(False)
