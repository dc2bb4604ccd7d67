"""A tiny codec about to be trained on a tiny corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from nacli.checkpoint import save_checkpoint
from nacli.config import ModelConfig
from nacli.entropy import frequencies
from nacli.tensor_file import Tensors
from training.codec import Codec
from training.export.checkpoint import read_states
from training.loop.schedule import parameter_groups

TINY = {
    "width": 16,
    "hidden": 16,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "latent_dim": 8,
    "codebook_size": 4,
    "lookahead": 0,
    "quantizer_groups": 2,
    "recurrent_layers": 1,
}
CROP = 1280
SIZES = [
    "--crop",
    str(CROP),
    "--batch",
    "2",
    "--segment",
    "0.1",
    "--threads",
    "1",
    "--log-steps",
    "1",
]


def make_run(folder: Path) -> None:
    """A corpus of noise, and a run that is about to start from random codebooks."""
    torch.manual_seed(0)
    random, rows = np.random.default_rng(0), []
    (folder / "corpus").mkdir()
    for kind in ("speech", "music"):
        samples = (random.normal(size=90 * 24_000) * 3000).astype(np.int16)
        np.save(folder / "corpus" / f"{kind}.npy", samples)
        rows.append({"name": kind, "kind": kind, "file": f"{kind}.npy"})
    (folder / "corpus" / "index.json").write_text(json.dumps(rows))
    (folder / "config.json").write_text(json.dumps(TINY))
    (folder / "run").mkdir()
    torch.save(make_state(), folder / "run" / "state.pt")


def make_state() -> dict[str, Any]:
    """Return the state of a training that has made no step, with random codebooks."""
    torch.manual_seed(0)
    codec = Codec(ModelConfig(**TINY))  # type: ignore[arg-type]
    codec.quantizer.fit(torch.randn(200, 8), batch_frames=20)
    state = {"codec": codec.state_dict(), "config": codec.config.to_json()}
    average = {name: weight.detach() for name, weight in codec.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(codec, 0.5), fused=True)
    past = {"steps": 0, "seconds": 0.0}
    rest = {"average": average, "optimizer": optimizer.state_dict(), "past": past}
    return {**state, **rest, "step": 0, "seconds": 0.0}


def prepared_run(folder: Path) -> Iterator[Path]:
    """Make a run for a fixture, and restore the number of threads after the test."""
    make_run(folder)
    threads = torch.get_num_threads()
    yield folder
    torch.set_num_threads(threads)


def run_command(
    command: click.Command, folder: Path, paths: dict[str, str], options: Sequence[str]
) -> dict[str, Any]:
    """Run a training command with `paths` under `folder`; return the state that it saves."""
    given = [text for name, path in paths.items() for text in (f"--{name}", str(folder / path))]
    command.main([*given, *SIZES, "--device", "cpu", "--quiet", *options], standalone_mode=False)
    state: dict[str, Any] = torch.load(folder / paths["run"] / "state.pt", weights_only=True)
    return state


def ship(state: Path, checkpoint: Path) -> None:
    """Make a checkpoint of a state, with uniform probability tables."""
    config, weights, codebooks, _ = read_states((state,))
    shapes = {
        "codes": (16, 4),
        "gains": (82, 81),
    }
    tables = {
        f"entropy.{name}": frequencies(np.ones(shape, np.int64)).astype(np.uint32)
        for name, shape in shapes.items()
    }
    books: Tensors = {
        "codebooks.entries": codebooks.entries,
        "codebooks.scales": codebooks.scales,
    }
    save_checkpoint(checkpoint, config, {**weights, **books, **tables}, {})


def retrain(
    command: click.Command, folder: Path, options: Sequence[str], model: Path | None = None
) -> tuple[Path, Path]:
    """Run a training command on a checkpoint, by default a new one of a tiny corpus:
    this checkpoint, and the one that the command makes of it."""
    if model is None:
        make_run(folder)
        model = folder / "shipped.safetensors"
        ship(folder / "run" / "state.pt", model)
    made = folder / "made.safetensors"
    paths = {"model": model, "out": made, "corpus": folder / "corpus"}
    given = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    command.main([*given, *options], standalone_mode=False)
    return model, made
