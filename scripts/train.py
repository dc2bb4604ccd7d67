"""Train the codec: Encoder, quantiser and Decoder together.

    python scripts/train.py --recipe training/recipes/main.toml

The training starts from the exact transform codec, with k-means codebooks on the untrained
Encoder, and resumes from `<run>/state.pt` when that exists. It runs on a CPU or a GPU, saves its
state every `--save-minutes`, and writes held-out clips as WAV beside the originals every
`--listen-steps`.
"""

from __future__ import annotations

from typing import Any

import click

from training.joint.trainer import train_codec
from training.loop.training import start_run
from training.losses.reconstruction import LossWeights
from training.options import PATH, loss_options, run_options
from training.recipe import recipe_option


@click.command("train")
@recipe_option
@run_options(run="runs/main", steps=12_000, rate=5e-4, listen=2000)
@loss_options
@click.option("--commitment", default=LossWeights.commitment, help="Weight of the commitment loss.")
@click.option("--config", type=PATH, help="JSON configuration of the model; else the default.")
@click.option("--init", type=PATH, help="State or checkpoint whose weights to start from.")
@click.option(
    "--encoder-rate",
    default=0.2,
    help="Share of the learning rate for the Encoder; 0 freezes it and the codebooks.",
)
@click.option("--floor", default=0.02, help="Share of the learning rate that it falls to.")
def main(**options: Any) -> None:
    """Train for STEPS steps or HOURS hours in all, resuming from <run>/state.pt."""
    start_run(train_codec, options)


if __name__ == "__main__":
    main()
