"""Train the Decoder alone, with reconstruction losses and against discriminators.

    python scripts/finish.py --recipe training/recipes/finish.toml --hours 1.5

Encoder and codebooks stay as they are, so codes and the entropy model do too. The Decoder learns
from cached codes: the corpus is coded once, and a step costs half of one that trains everything.
The codebooks of envelope corrections follow the Decoder. `scripts/export.py --decoder-for` puts
both into a checkpoint. A run resumes from `<run>/state.pt` and ends as it would have without the
interruption. With `--adversarial 0 --features 0` there is no discriminator. `--config` adds parts
to the Decoder: new blocks start as an identity, and more lookahead starts without effect.

`<run>/log.jsonl` has all losses (`adversarial` is the generator loss, `discriminator` the
discriminator loss), the mean scores of original and decoded sound, and `length_*`: the length of
each loss's gradient at the Decoder's output, before balancing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from training.decoder.run import train_decoder
from training.discriminators.discriminators import DISCRIMINATORS
from training.loop.training import start_run
from training.options import PATH, loss_options, run_options
from training.recipe import recipe_option


@click.command("finish")
@recipe_option
@click.option(
    "--init",
    type=PATH,
    default=Path("models/nacli-24k.safetensors"),
    help="Checkpoint whose Encoder and codebooks are kept.",
)
@click.option("--weights", type=PATH, help="State to start from instead.")
@click.option("--config", type=PATH, help="JSON of the configuration values that change.")
@click.option("--codes", type=PATH, default=Path("runs/codes"), help="Cache of codes.")
@click.option("--code-hours", default=8.0, help="Hours of the corpus to code and cache.")
@run_options(run="runs/finish", steps=20_000, rate=2e-4, listen=1000)
@click.option("--discriminator", type=click.Choice(list(DISCRIMINATORS)), default="frames")
@click.option("--discriminator-rate", default=2e-4, help="Peak learning rate of its own.")
@click.option("--warmup", default=300, help="Steps that the discriminator learns alone.")
@click.option("--adversarial", default=1.0, help="Weight of the generator loss.")
@click.option("--features", default=2.0, help="Weight of the feature matching loss.")
@click.option(
    "--balance/--no-balance",
    default=True,
    help="Take these weights as lengths of gradients, relative to that of the reconstruction"
    " losses; else as weights of losses.",
)
@loss_options
def main(**options: Any) -> None:
    """Train for STEPS steps or HOURS hours in all, resuming from <run>/state.pt."""
    start_run(train_decoder, options)


if __name__ == "__main__":
    main()
