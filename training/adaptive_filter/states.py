"""States of the adaptive filter on the disk: conversion of older ones, and growth of the comb."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nacli.dsp.filterbank import BANDS
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterConfig

Weights = dict[str, Tensor]


def load_filter_state(path: Path) -> dict[str, Any]:
    """Load a state of a run. An older one, which has a temporal envelope, is converted: the
    envelope and the optimisers are dropped, so it serves as a start, not to resume."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return _without_envelope(state) if "envelope" in state["config"] else state


def load_filter(path: Path) -> AdaptiveFilter:
    """Return the filter of a state with its averaged weights."""
    state = load_filter_state(path)
    network = AdaptiveFilter(FilterConfig(**state["config"]))
    network.load_state_dict(state["average"])
    return network.eval().requires_grad_(False)


def _without_envelope(state: dict[str, Any]) -> dict[str, Any]:
    """Convert a state of the first layout, whose last outputs are a temporal envelope."""
    old = state["config"]
    sizes = ("features", "projected", "width", "hidden", "blocks", "kernel")
    config = FilterConfig(**{name: old[name] for name in sizes}, before=old.get("past", 2))
    if old["periods"] != 2 or old.get("phase") or not old["bands"]:
        raise ValueError(f"no conversion for a filter with {old}")
    outputs = (1 + config.shifted) * BANDS
    average: Weights = dict(state["average"])
    for name in ("leave.weight", "leave.bias"):
        average[name] = average[name][:outputs]
    converted = {"config": config.to_json(), "average": average}
    return converted | ({"discriminator": state["judge"]} if "judge" in state else {})


def grow(weights: Weights, old: FilterConfig, new: FilterConfig) -> Weights:
    """Return the weights of a filter for one whose comb uses more periods before a window; at
    first it filters the same. Raises `ValueError` where anything else differs."""
    if replace(old, before=new.before) != new or new.before < old.before:
        raise ValueError(f"a filter with {old} does not grow to {new}")
    more, outputs = (new.shifted - old.shifted) * BANDS, (1 + old.shifted) * BANDS
    grown, at = dict(weights), old.first_inputs + old.shifted * BANDS
    grown["enter.weight"] = _insert_zeros(weights["enter.weight"].mT, at, more).mT.contiguous()
    for name in ("leave.weight", "leave.bias"):
        grown[name] = _insert_zeros(weights[name], outputs, more)
    return grown


def _insert_zeros(x: Tensor, at: int, count: int) -> Tensor:
    return torch.cat([x[:at], x.new_zeros(count, *x.shape[1:]), x[at:]])
