"""States of trainings on the disk, and checkpoints as states."""

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


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write a state to a temporary file and rename it: an interruption leaves the old state
    whole."""
    temporary = path.with_suffix(".partial")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_state(path: Path, device: str) -> dict[str, Any]:
    """Load a state, or make one from a checkpoint (.safetensors).

    A checkpoint has no optimiser and no use counts of codes: a training from it starts anew.
    """
    if path.suffix != ".safetensors":
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return state
    model = load_checkpoint(path)
    codec = Codec(model.config)
    codec.adopt(model)
    notes = json.loads(path.with_suffix(".json").read_text()).get("training", {})
    past = {"steps": notes.get("steps", 0), "seconds": 3600 * notes.get("hours", 0.0)}
    return {"codec": codec.state_dict(), "config": model.config.to_json(), "past": past}


def load_codec(state: dict[str, Any]) -> Codec:
    """Return the codec of a state, with the weights of its last step."""
    codec = Codec(ModelConfig.from_json(state["config"]))
    codec.load_state_dict(state["codec"])
    return codec


def rewrite_checkpoint(path: Path, out: Path, tensors: Tensors) -> None:
    """Write the checkpoint at `path` to `out` with other tensors; configuration and notes stay."""
    notes = json.loads(path.with_suffix(".json").read_text())
    save_checkpoint(out, ModelConfig.from_json(notes.pop("model")), tensors, notes)
