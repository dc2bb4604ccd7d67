"""Train the learned entropy model on the codes of a checkpoint.

    python scripts/train_entropy.py --recipe training/recipes/entropy.toml

The codes of `--hours` of the corpus are cached. The network trains in floating point and, in the
last part, rounded as the integers will be. The integer network is measured on held-out segments
and written as `<out>/entropy.safetensors`, which `scripts/attach_entropy.py` puts into the
checkpoint. A run resumes from `<out>/state.pt`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch

from training.entropy.design import DESIGNS
from training.entropy.trainer import train_entropy_model
from training.options import PATH
from training.recipe import recipe_option


@click.command("train_entropy")
@recipe_option
@click.option("--model", type=PATH, help="Checkpoint; default: the shipped one.")
@click.option("--corpus", type=PATH, default=Path("data/corpus"))
@click.option("--out", type=PATH, default=Path("runs/entropy"), help="Folder of the run.")
@click.option("--codes", type=PATH, help="Cache of codes; default: <out>/codes.")
@click.option("--hours", default=2.0, help="Hours of the corpus to code and cache.")
@click.option("--design", type=click.Choice(list(DESIGNS)), default="chains")
@click.option("--steps", default=15_000, help="Steps in all.")
@click.option("--batch", default=128, help="Frames of a step, with all their codes.")
@click.option("--rate", default=2e-3, help="Peak learning rate.")
@click.option("--threads", default=1, help="CPU threads.")
@click.option("--seed", default=1)
@click.option("--save-minutes", default=2.0, help="Minutes between saved states.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def main(**options: Any) -> None:
    """Train for STEPS steps in all, resuming from <out>/state.pt."""
    torch.set_num_threads(options["threads"])
    train_entropy_model(options)


if __name__ == "__main__":
    main()
