"""Put a trained adaptive filter into the checkpoint behind whose Decoder it was trained.

    python scripts/attach_filter.py --run runs/filter-adversarial/state.pt

The averaged weights of the state replace those that the checkpoint has: the filter's, and the
Decoder's where it learned too. Several states give the mean of their weights, and `--share`
averages it with the weights that the trainings started from. Files that were made before name
another model.
"""

from __future__ import annotations

from pathlib import Path

import click

from nacli.checkpoint import default_path, load_checkpoint
from nacli.errors import BadCheckpoint
from training.adaptive_filter.attach import mean_weights, with_weights
from training.adaptive_filter.states import checkpoint_weights
from training.loop.states import rewrite_checkpoint
from training.options import PATH


@click.command("attach_filter")
@click.option(
    "--run",
    "runs",
    type=PATH,
    multiple=True,
    required=True,
    help="State of scripts/train_filter.py; several are averaged.",
)
@click.option("--model", type=PATH, help="Checkpoint; default: the shipped one.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=1.0,
    help="Share of the states in the weights; the rest is the checkpoint's.",
)
@click.option(
    "--level-exponent", default=1.0, help="Exponent of the levels that the filter gives bands."
)
@click.option("--out", type=PATH, help="Default: replace the checkpoint.")
def main(
    runs: tuple[Path, ...],
    model: Path | None,
    share: float,
    level_exponent: float,
    out: Path | None,
) -> None:
    """Write the checkpoint and print its size."""
    path = model or default_path()
    out = out or path
    names = ", ".join(map(str, runs))
    try:
        weights = mean_weights([checkpoint_weights(run) for run in runs])
        tensors = with_weights(load_checkpoint(path), weights, share, level_exponent)
    except (BadCheckpoint, ValueError) as error:
        raise click.ClickException(f"{names} and {path}: {error}") from error
    rewrite_checkpoint(path, out, tensors)
    print(f"{out}: {out.stat().st_size} bytes, {load_checkpoint(out).digest.hex()[:16]}")


if __name__ == "__main__":
    main()
