"""Arms of the ablation: each differs from the shipped design in one thing."""

from __future__ import annotations

from typing import Any

Arm = tuple[dict[str, Any], dict[str, Any]]

ARMS: dict[str, Arm] = {
    "conv": ({}, {}),
    "attention": ({"attention_every": 2}, {}),
    "recurrent": ({"recurrent_layers": 2}, {}),
    "groups2": ({"quantizer_groups": 2}, {}),
    "hierarchy": ({"pair_blocks": 1}, {}),
    "transposed": ({"upsampling": "transposed"}, {}),
    "interpolation": ({"upsampling": "interpolation"}, {}),
    "narrow": ({"width": 192, "hidden": 576}, {}),
    "wide": ({"width": 384, "hidden": 1152}, {}),
    "deep": ({"encoder_blocks": 8, "decoder_blocks": 10}, {}),
    "shallow": ({"encoder_blocks": 3, "decoder_blocks": 4}, {}),
    "latent128": ({"latent_dim": 128}, {}),
    "latent224": ({"latent_dim": 224}, {}),
    "no-level": ({"normalize": False}, {}),
    "music15": ({}, {"music": 0.15}),
    "music50": ({}, {"music": 0.5}),
    "mel1": ({}, {"mel": 1.0}),
    "complex0": ({}, {"complex-share": 0.0}),
    "complex1": ({}, {"complex-share": 1.0}),
    "no-emphasis": ({"emphasis": 0.0}, {}),
    "by-hertz": ({}, {"tilt": 0.0}),
}
"""Differences from the shipped design by name: in the configuration of the model, and in the
options of `scripts/train.py`."""
