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


def save_weights(state: dict[str, Any], folder: Path) -> None:
    """Write what the next run needs of a state, in a tenth of its size.

    `weights.pt` has the averaged weights in half precision and the codebooks, `discriminators.pt`
    the discriminators in half precision if there are any.
    """
    codec = state["codec"] | state["average"]
    codebooks = codec.pop("quantizer.codebooks")
    del codec["quantizer.sums"]
    halves = {n: w if n == "quantizer.counts" else w.half() for n, w in codec.items()}
    kept = {name: state[name] for name in ("config", "step", "seconds", "past")}
    save_state({"codec": halves, "codebooks": codebooks, **kept}, folder / "weights.pt")
    if "discriminators" in state:
        halves = {name: weight.half() for name, weight in state["discriminators"].items()}
        save_state({"discriminators": halves}, folder / "discriminators.pt")


def load_state(path: Path, device: str) -> dict[str, Any]:
    """Load a state, or make one from `weights.pt` or from a checkpoint (.safetensors).

    The latter two have no optimiser, and a checkpoint no use counts of codes: a training from them
    starts anew.
    """
    if path.suffix != ".safetensors":
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return _whole(state) if "codebooks" in state else state
    model = load_checkpoint(path)
    codec = Codec(model.config)
    codec.adopt(model)
    notes = json.loads(path.with_suffix(".json").read_text()).get("training", {})
    past = {"steps": notes.get("steps", 0), "seconds": 3600 * notes.get("hours", 0.0)}
    return {"codec": codec.state_dict(), "config": model.config.to_json(), "past": past}


def _whole(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state from the content of `weights.pt`."""
    codec = {name: weight.float() for name, weight in state["codec"].items()}
    codebooks = codec["quantizer.codebooks"] = state["codebooks"].float()
    codec["quantizer.sums"] = codebooks * codec["quantizer.counts"].unsqueeze(2)
    kept = {name: value for name, value in state.items() if name != "codebooks"}
    return {**kept, "codec": codec}


def state_config(state: dict[str, Any]) -> ModelConfig:
    """Return the configuration of a state. In older states, names say `trim` for correction, and a
    share of the correction before was its prediction."""
    values = {
        name.replace("trim_", "correction_"): value
        for name, value in state.get("config", {}).items()
    }
    values.pop("correction_memory", None)
    return ModelConfig.from_json(values)


def load_codec(state: dict[str, Any]) -> Codec:
    """Return the codec of a state, with the weights of its last step."""
    codec = Codec(state_config(state))
    codec.load_state_dict(state["codec"])
    return codec


def rewrite_checkpoint(
    path: Path, out: Path, tensors: Tensors, config: ModelConfig | None = None
) -> None:
    """Write the checkpoint at `path` to `out` with other tensors, and another configuration if one
    is given; notes stay."""
    notes = json.loads(path.with_suffix(".json").read_text())
    own = ModelConfig.from_json(notes.pop("model"))
    save_checkpoint(out, config or own, tensors, notes)
