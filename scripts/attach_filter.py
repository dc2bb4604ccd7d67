"""Put a trained adaptive filter into the checkpoint behind whose Decoder it was trained.

    python scripts/attach_filter.py --run runs/filter-adversarial/state.pt

The averaged weights of the state replace those that the checkpoint has. Files that were made
before name another model.
"""

from __future__ import annotations

from pathlib import Path

import click

from nacli.checkpoint import default_path, load_checkpoint
from nacli.errors import BadCheckpoint
from training.adaptive_filter.attach import with_filter
from training.adaptive_filter.states import load_filter
from training.loop.states import rewrite_checkpoint
from training.options import PATH


@click.command("attach_filter")
@click.option("--run", type=PATH, required=True, help="State of scripts/train_filter.py.")
@click.option("--model", type=PATH, help="Checkpoint; default: the shipped one.")
@click.option("--out", type=PATH, help="Default: replace the checkpoint.")
def main(run: Path, model: Path | None, out: Path | None) -> None:
    """Write the checkpoint and print its size."""
    path = model or default_path()
    out = out or path
    try:
        tensors = with_filter(load_checkpoint(path), load_filter(run))
    except BadCheckpoint as error:
        raise click.ClickException(f"{run} does not fit {path}: {error}") from error
    rewrite_checkpoint(path, out, tensors)
    print(f"{out}: {out.stat().st_size} bytes, {load_checkpoint(out).digest.hex()[:16]}")


if __name__ == "__main__":
    main()
