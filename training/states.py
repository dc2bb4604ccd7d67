"""States of a training on the disk, and what a checkpoint has of one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from nacli.checkpoint import load_checkpoint, save_checkpoint
from nacli.config import ModelConfig
from nacli.tensor_file import Tensors
from training.codec import Codec


def save(state: dict[str, Any], path: Path) -> None:
    """Write beside, then rename: an interruption leaves the old state whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load_state(path: Path, device: str) -> dict[str, Any]:
    """A state, or one made of a checkpoint (.safetensors), which has no optimiser and has not kept
    how often its codes are used."""
    if path.suffix != ".safetensors":
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return state
    model = load_checkpoint(path)
    codec = Codec(model.config)
    codec.adopt(model)
    notes = json.loads(path.with_suffix(".json").read_text()).get("training", {})
    past = {"steps": notes.get("steps", 0), "seconds": 3600 * notes.get("hours", 0.0)}
    return {"codec": codec.state_dict(), "config": model.config.to_json(), "past": past}


def rewrite_checkpoint(path: Path, out: Path, tensors: Tensors) -> None:
    """Write a checkpoint to `out` with other tensors; its configuration and its notes stay."""
    notes = json.loads(path.with_suffix(".json").read_text())
    save_checkpoint(out, ModelConfig.from_json(notes.pop("model")), tensors, notes)
