"""Options that training commands share, and the losses that they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from training.losses.reconstruction import CompressedLoss, LossWeights, ReconstructionLosses
from training.losses.spectra import COMPRESSION

Command = TypeVar("Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def all_options(options: list[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    """Combine decorators into one; `--help` lists them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


loss_options = all_options(
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
