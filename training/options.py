"""Options that training commands share, and the losses that they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click
import torch

from training.corpus.sampler import AMBIENCE, MUSIC
from training.losses.reconstruction import CompressedLoss, LossWeights, ReconstructionLosses
from training.losses.spectra import COMPRESSION

Command = TypeVar("Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def _all(options: list[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    """Combine decorators into one; `--help` lists them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def run_options(run: str, steps: int, rate: float, listen: int) -> Callable[[Command], Command]:
    """Return the options of a run: data, duration, device and logs, with a command's defaults."""
    return _all(
        [
            click.option("--corpus", type=PATH, default=Path("data/corpus")),
            click.option("--run", type=PATH, default=Path(run), help="Folder of the run."),
            click.option("--steps", default=steps, help="Steps in all."),
            click.option(
                "--hours",
                type=click.FloatRange(0, min_open=True),
                help="Train for this time instead of steps, counting interrupted runs.",
            ),
            click.option("--batch", default=8, help="Clips of a step and process."),
            click.option("--segment", default=1.2, help="Seconds of a clip."),
            click.option("--rate", default=rate, help="Peak learning rate."),
            click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu"),
            click.option(
                "--workers", default=1, help="Processes; on a CPU one per core is fastest."
            ),
            click.option("--threads", default=0, help="CPU threads; 0 leaves torch's choice."),
            click.option(
                "--bf16/--no-bf16", default=None, help="Use bfloat16; default: where it is faster."
            ),
            click.option("--ema", default=0.999, help="Decay of the average of the weights."),
            click.option("--seed", default=1),
            click.option("--save-minutes", default=3.0, help="Minutes between saved states."),
            click.option("--log-steps", default=100, help="Steps of a line of the log."),
            click.option(
                "--listen-steps", default=listen, help="Steps between clips for listening."
            ),
            click.option(
                "--music",
                type=click.FloatRange(0, 1 - AMBIENCE),
                default=MUSIC,
                help=f"Share of music; ambience is {AMBIENCE:g}, the rest speech.",
            ),
            click.option("--quiet", is_flag=True, help="No progress bar."),
        ]
    )


def retrain_options(clips: int, steps: int) -> Callable[[Command], Command]:
    """Return the options of what is trained for a checkpoint, with a command's defaults."""
    return _all(
        [
            click.option("--model", type=PATH, help="Checkpoint; default: the shipped one."),
            click.option("--out", type=PATH, help="Default: replace the checkpoint."),
            click.option("--corpus", type=PATH, default=Path("data/corpus")),
            click.option("--clips", default=clips, help="Segments of 1.2 s to learn from."),
            click.option("--steps", default=steps, help="Steps in all."),
            click.option("--rate", default=2e-3, help="Peak learning rate."),
            click.option("--hidden", default=256, help="Width of the network."),
        ]
    )


loss_options = _all(
    [
        click.option("--mel", default=LossWeights.mel, help="Weight of the log-mel loss."),
        click.option(
            "--compressed",
            default=LossWeights.compressed,
            help="Weight of the loss of compressed spectra.",
        ),
        click.option(
            "--waveform",
            default=LossWeights.waveform,
            help="Weight of the absolute difference of samples.",
        ),
        click.option(
            "--corrections",
            default=LossWeights.corrections,
            help="Weight of the squared envelope corrections that would be needed.",
        ),
        click.option("--exponent", default=COMPRESSION, help="Exponent of compressed spectra."),
        click.option(
            "--complex-share",
            type=click.FloatRange(0, 1),
            default=0.3,
            help="Share of complex values in that loss; magnitudes are the rest.",
        ),
        click.option(
            "--tilt", default=1.0, help="Frequency weights in that loss: 0 by Hz, 1 by Bark."
        ),
    ]
)
"""Weights and shapes of the reconstruction losses."""


def losses_from(options: dict[str, Any], sample_rate: int) -> ReconstructionLosses:
    """Return the losses with the weights and shapes in `options`."""
    named = [field.name for field in fields(LossWeights) if field.name in options]
    weights = LossWeights(**{name: options[name] for name in named})
    shape = (options[name] for name in ("exponent", "complex_share", "tilt"))
    losses = ReconstructionLosses(sample_rate, weights, CompressedLoss(sample_rate, *shape))
    return losses.to(options["device"])
