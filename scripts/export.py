"""Turn a training state into the checkpoint that ships: float16 weights, int8 codebooks, tables.

python scripts/export.py --state runs/main/state.pt --out models/nacli-24k.safetensors
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from nacli.checkpoint import Tensors, save_checkpoint
from nacli.config import ModelConfig
from nacli.model import Networks
from nacli.quantize import Codebooks
from training.corpus import Sampler, read_corpus
from training.tables import fit_tables

MAX_BYTES = 16 << 20


def read_state(path: Path) -> tuple[ModelConfig, Tensors, Codebooks, dict[str, Any]]:
    """Configuration, float16 weights, rounded codebooks and what is known of the training."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    config = ModelConfig.from_json(state.get("config", {}))
    weights = {
        name: tensor.numpy().astype(np.float16)
        for name, tensor in state["codec"].items()
        if name.startswith(("encoder.", "decoder."))
    }
    codebooks = Codebooks.from_vectors(state["codec"]["quantizer.codebooks"].numpy())
    hours = round(state.get("seconds", 0.0) / 3600, 2)
    return config, weights, codebooks, {"steps": state.get("step", 0), "hours": hours}


@click.command()
@click.option("--state", type=click.Path(path_type=Path), default=Path("runs/main/state.pt"))
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus"))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("models/nacli-24k.safetensors")
)
@click.option("--packets", default=4000, help="Seconds of corpus to count the tables over.")
def main(state: Path, corpus: Path, out: Path, packets: int) -> None:
    """Export a checkpoint and print its size and digest."""
    config, weights, codebooks, training = read_state(state)
    networks = Networks(config, weights)
    sampler = Sampler(read_corpus(corpus), 75 * config.hop, seed=5)
    tables = fit_tables(config, networks, codebooks, sampler, packets)
    tensors: Tensors = {
        **weights,
        "codebooks.entries": codebooks.entries,
        "codebooks.scales": codebooks.scales,
        "entropy.gains": tables.gain_table.astype(np.uint32),
        "entropy.codes": tables.code_table.astype(np.uint32),
    }
    save_checkpoint(out, config, tensors, {"training": training})
    size = out.stat().st_size
    if size > MAX_BYTES:
        raise click.ClickException(f"{out} has {size} bytes, more than {MAX_BYTES}")
    print(f"{out}: {size} bytes, {training['steps']} steps, {training['hours']} h of training")


if __name__ == "__main__":
    main()
