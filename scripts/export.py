"""Turn training states into a checkpoint: float16 weights, int8 codebooks, static tables.

    python scripts/export.py --state runs/main/state.pt --out models/nacli-24k.safetensors

The checkpoint has no envelope corrections; `scripts/train_corrections.py` adds them. With
`--decoder-for`, only the Decoder is taken from the states: codes keep their meaning and the entropy
model fits, though files made before name another model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from training.export.checkpoint import export_checkpoint
from training.options import PATH
from training.recipe import recipe_option


@click.command("export")
@recipe_option
@click.option(
    "--state",
    "states",
    type=PATH,
    multiple=True,
    default=[Path("runs/main/state.pt")],
    help="Training state; the weights of several are averaged.",
)
@click.option("--corpus", type=PATH, default=Path("data/corpus"))
@click.option("--out", type=PATH, default=Path("models/nacli-24k.safetensors"))
@click.option("--packets", default=4000, help="Segments to count the tables over, 1 s each.")
@click.option(
    "--decoder-for",
    type=PATH,
    help="Checkpoint of which all but the Decoder is kept; it has the same Encoder and codebooks.",
)
@click.option(
    "--levels", default=200, help="Clips to measure the loudness of the Decoder on; 0 keeps it."
)
@click.option("--last", is_flag=True, help="Take the last weights where a state has averages too.")
def main(states: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Export a checkpoint and print its size and how long it was trained."""
    export_checkpoint(states, out, options)


if __name__ == "__main__":
    main()
