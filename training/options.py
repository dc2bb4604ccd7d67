"""Options that the trainings share, and what is built from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click
import torch

from training.corpus import AMBIENCE, MUSIC
from training.losses import CompressedLoss, Losses, Weights

Command = TypeVar("Command", bound=Callable[..., Any])


def _all(options: list[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    """One decorator of several, listed in their order by `--help`."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def run_options(run: str, steps: int, rate: float, listen: int) -> Callable[[Command], Command]:
    """Where and how long a training runs, on what, and what it tells; with its own defaults."""
    return _all(
        [
            click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus")),
            click.option("--run", type=click.Path(path_type=Path), default=Path(run)),
            click.option("--steps", default=steps),
            click.option(
                "--hours",
                type=click.FloatRange(0, min_open=True),
                help="Train for so many hours instead of steps, past runs of the same state"
                " included.",
            ),
            click.option("--batch", default=8),
            click.option("--segment", default=1.2, help="Seconds, rounded to whole frames."),
            click.option("--rate", default=rate, help="Peak learning rate."),
            click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu"),
            click.option(
                "--workers", default=1, help="Processes; on a CPU one per core is fastest."
            ),
            click.option("--threads", default=0, help="CPU threads; 0 leaves torch's choice."),
            click.option(
                "--bf16/--no-bf16", default=None, help="Autocast; default: where it is faster."
            ),
            click.option("--ema", default=0.999, help="Decay of the average of the weights."),
            click.option("--seed", default=1),
            click.option("--save-minutes", default=3.0),
            click.option("--log-steps", default=100),
            click.option("--listen-steps", default=listen),
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
    """Of what is trained for a finished checkpoint; with its own defaults."""
    path = click.Path(path_type=Path)
    return _all(
        [
            click.option("--model", type=path, help="Checkpoint; default: the shipped."),
            click.option("--out", type=path, help="Default: replace the checkpoint."),
            click.option("--corpus", type=path, default=Path("data/corpus")),
            click.option("--clips", default=clips, help="Segments of 1.2 s to learn from."),
            click.option("--steps", default=steps),
            click.option("--rate", default=2e-3, help="Peak learning rate."),
            click.option("--hidden", default=256, help="Width of the network."),
        ]
    )


loss_options = _all(
    [
        click.option("--mel", default=Weights.mel, help="Weight of the log-mel loss."),
        click.option(
            "--compressed", default=Weights.compressed, help="Weight of compressed spectra."
        ),
        click.option(
            "--waveform", default=Weights.waveform, help="Weight of the absolute difference."
        ),
        click.option("--exponent", default=0.3, help="Power that spectra are compressed by."),
        click.option(
            "--complex-share",
            type=click.FloatRange(0, 1),
            default=0.3,
            help="Of complex values in the loss of compressed spectra; magnitudes are the rest.",
        ),
        click.option("--tilt", default=1.0, help="Frequencies in that loss: 0 by Hz, 1 by Bark."),
    ]
)


def losses_from(options: dict[str, Any], sample_rate: int) -> Losses:
    """The losses, with the weights that the options name."""
    named = [field.name for field in fields(Weights) if field.name in options]
    weights = Weights(**{name: options[name] for name in named})
    spectra = (options[name] for name in ("exponent", "complex_share", "tilt"))
    losses = Losses(sample_rate, weights, CompressedLoss(sample_rate, *spectra))
    return losses.to(options["device"])
