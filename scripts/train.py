"""Train the codec: Encoder, quantiser and Decoder, or the Decoder alone.

    python scripts/train.py --recipe training/recipes/wide-adversarial.toml

A training starts from the exact transform codec, with k-means codebooks on the untrained Encoder,
or from `--init`, and resumes from `<run>/state.pt` when that exists. It learns from reconstruction
losses; with `--adversarial` or `--features` also against discriminators, which at first learn
alone until they tell originals from decoded sound. Batches, losses and steps are the same on CPU
and GPU. On a GPU the corpus lies there, and a step is one CUDA graph.

At the end, `<run>/weights.pt` and `<run>/discriminators.pt` have what the next run needs, in half
precision. To chain runs on one schedule, end the first with `--until 0.3`, and start the second
with `--init` and `--discriminators` from these files, and `--begin 0.3 --alone 0`.

`<run>/log.jsonl` has all losses (`adversarial` is the generator loss, `discriminator` the
discriminator loss), the mean scores of original and decoded sound, and the figures of held-out
clips at 4 and 8 stages, with DistillMOS where its package is installed. Scores of .7 and .3 are
healthy, .5 and .5 blind, .95 and .05 too strong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch

from training.corpus.sampler import AMBIENCE, MUSIC
from training.options import PATH, all_options, loss_options
from training.recipe import recipe_option
from training.trainer.run import start_run

SHARE = click.FloatRange(0, 1)
TIME = click.FloatRange(0, min_open=True)

start_options = all_options(
    [
        click.option("--corpus", type=PATH, default=Path("data/corpus")),
        click.option("--run", type=PATH, default=Path("runs/main"), help="Folder of the run."),
        click.option("--config", type=PATH, help="JSON configuration of the model, at the start."),
        click.option("--init", type=PATH, help="State, weights.pt or checkpoint to start from."),
        click.option("--discriminators", type=PATH, help="Discriminators to start from."),
        click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu"),
        click.option("--workers", default=1, help="Processes; on a CPU one per core is fastest."),
        click.option("--threads", default=0, help="CPU threads; 0 leaves torch's choice."),
        click.option(
            "--bf16/--no-bf16", default=None, help="Use bfloat16; default: where it is faster."
        ),
        click.option("--seed", default=1),
        click.option("--batch", default=8, help="Clips of a step and process."),
        click.option("--segment", default=1.2, help="Seconds of a clip."),
        click.option(
            "--music",
            type=click.FloatRange(0, 1 - AMBIENCE),
            default=MUSIC,
            help=f"Share of music; ambience is {AMBIENCE:g}, the rest speech.",
        ),
    ]
)
schedule_options = all_options(
    [
        click.option("--steps", default=12_000, help="Steps in all."),
        click.option("--hours", type=TIME, help="Train for this time instead, with interruptions."),
        click.option("--seconds", type=TIME, help="The same in seconds."),
        click.option("--begin", type=SHARE, default=0.0, help="Where on the schedule to begin."),
        click.option("--until", type=SHARE, default=1.0, help="Where on the schedule to end."),
        click.option("--rate", default=5e-4, help="Peak learning rate."),
        click.option("--floor", default=0.03, help="Share of the learning rate that it falls to."),
        click.option("--encoder-rate", default=0.5, help="Share of the Encoder's learning rate."),
        click.option(
            "--freeze",
            type=SHARE,
            default=1.0,
            help="Where on the schedule Encoder and codebooks stop learning; 0: only the Decoder"
            " learns.",
        ),
        click.option("--ema", default=0.999, help="Decay of the average of the weights."),
        click.option("--commitment", default=15.0, help="Weight of the commitment loss."),
    ]
)
adversarial_options = all_options(
    [
        click.option("--adversarial", default=0.0, help="Weight of the generator loss."),
        click.option("--features", default=0.0, help="Weight of the feature matching loss."),
        click.option("--discriminator-rate", default=5e-4, help="Peak learning rate of its own."),
        click.option("--crop", default=10_240, help="Samples of a clip that discriminators see."),
        click.option("--alone", default=600, help="Steps that they learn alone, at most."),
        click.option("--gap", default=0.25, help="Distance of mean scores that ends this earlier."),
    ]
)
log_options = all_options(
    [
        click.option("--save-minutes", default=3.0, help="Minutes between saved states."),
        click.option("--validate-minutes", default=30.0, help="Minutes between validations."),
        click.option("--log-steps", default=100, help="Steps of a line of the log."),
        click.option("--quiet", is_flag=True, help="No progress bar."),
    ]
)


@click.command("train")
@recipe_option
@start_options
@schedule_options
@loss_options
@adversarial_options
@log_options
def main(hours: float | None, seconds: float | None, **options: Any) -> None:
    """Train for STEPS steps, HOURS hours or SECONDS seconds in all, resuming from <run>/state.pt.

    Weights of the adversarial losses are lengths of gradients, relative to that of the
    reconstruction losses.
    """
    start_run({**options, "seconds": 3600 * hours if hours else seconds})


if __name__ == "__main__":
    main()
