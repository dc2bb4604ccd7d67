"""Put a learned entropy model into the checkpoint that it was trained for.

    python scripts/attach_entropy.py --entropy runs/entropy/entropy.safetensors

The fixed tables stay: the model shares their gain table, and `scripts/train_entropy.py` starts from
them. `--remove` takes a learned model out again.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from safetensors.numpy import load

from nacli.checkpoint import LEARNED, Model, default_path, load_checkpoint
from nacli.entropy import LearnedModel
from nacli.tensor_file import Tensors
from training.states import rewrite_checkpoint


def attach(model: Model, entropy: Tensors) -> Tensors:
    """The tensors of `model` with those of an entropy model, or with none.

    Raises `ValueError` when they were made for other codebooks or tables.
    """
    kept = {name: t for name, t in model.tensors.items() if not name.startswith(LEARNED)}
    if not entropy:
        return kept
    LearnedModel(entropy, model.codebooks.entries)
    if not np.array_equal(entropy["gains"], model.tables.gain_table):
        raise ValueError("the entropy model was trained for another checkpoint")
    return kept | {LEARNED + name: t for name, t in entropy.items() if name != "gains"}


@click.command()
@click.option("--entropy", type=click.Path(path_type=Path), help="From scripts/train_entropy.py.")
@click.option("--remove", is_flag=True, help="Take the learned model out.")
@click.option("--model", type=click.Path(path_type=Path), help="Checkpoint; default: the shipped.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: replace the checkpoint.")
def main(entropy: Path | None, remove: bool, model: Path | None, out: Path | None) -> None:
    """Write the checkpoint and print its size."""
    if (entropy is None) != remove:
        raise click.UsageError("give either --entropy or --remove")
    path = model or default_path()
    loaded = load_checkpoint(path)
    tensors = attach(loaded, load(entropy.read_bytes()) if entropy else {})
    out = out or path
    rewrite_checkpoint(path, out, tensors)
    print(f"{out}: {out.stat().st_size} bytes, {load_checkpoint(out).digest.hex()[:16]}")


if __name__ == "__main__":
    main()
