"""Train the adaptive filter behind the Decoder.

    python scripts/train_filter.py --recipe training/recipes/filter-reconstruction.toml

The filter learns from a cache of decoded segments (`scripts/cache_filter.py`) by reconstruction
losses, and with `--discriminator` also against the discriminators of a training on a GPU. With
`--decoder-rate` the Decoder learns with it; the cache must be of the same checkpoint. A run resumes
from `<run>/state.pt`. `<run>/log.jsonl` has the losses and the validation loss.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from training.adaptive_filter.run import train_filter
from training.options import PATH
from training.recipe import recipe_option


@click.command("train_filter")
@recipe_option
@click.option("--cache", type=PATH, default=Path("runs/filter/cache"), help="Decoded segments.")
@click.option(
    "--run", type=PATH, default=Path("runs/filter-reconstruction"), help="Folder of the run."
)
@click.option("--init", type=PATH, help="State whose averaged weights to start from.")
@click.option("--validation", type=PATH, help="Decoded clips of scripts/evaluate_filter.py.")
@click.option("--before", default=2, help="Periods before a window that the comb filter uses.")
@click.option("--steps", default=2500, help="Steps in all.")
@click.option("--frames", default=60, help="Frames of a clip.")
@click.option("--batch", default=8, help="Clips of a step.")
@click.option("--rate", default=1.5e-3, help="Peak learning rate.")
@click.option("--decoder-rate", default=0.0, help="That of the Decoder; 0: it does not learn.")
@click.option("--model", type=PATH, help="Checkpoint with the Decoder; default: the shipped one.")
@click.option("--ema", default=0.998, help="Decay of the average of the weights.")
@click.option("--complex-share", default=0.3, help="Share of complex values in compressed spectra.")
@click.option("--compressed", default=10.0, help="Weight of the loss of compressed spectra.")
@click.option("--mel", default=1.0, help="Weight of the log-mel loss.")
@click.option("--waveform", default=0.1, help="Weight of the absolute difference of samples.")
@click.option("--discriminator", type=PATH, help="Discriminators of a training on a GPU.")
@click.option("--discriminator-rate", default=2e-4, help="Learning rate of its own.")
@click.option("--discriminator-every", default=3, help="Steps between its steps.")
@click.option("--crop", default=10_240, help="Samples of a clip that it sees.")
@click.option(
    "--adversarial", default=3.0, help="Length of its gradient, relative to reconstruction."
)
@click.option("--features", default=1.0, help="Weight of the feature matching loss.")
@click.option("--threads", default=1, help="CPU threads.")
@click.option("--seed", default=1)
@click.option("--save-minutes", default=5.0, help="Minutes between saved states.")
@click.option("--quality-minutes", default=60.0, help="Minutes between DistillMOS measurements.")
@click.option("--log-steps", default=100, help="Steps of a line of the log.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def main(**options: Any) -> None:
    """Train for STEPS steps in all, resuming from <run>/state.pt."""
    train_filter(options)


if __name__ == "__main__":
    main()
