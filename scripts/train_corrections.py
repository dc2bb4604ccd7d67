"""Train the envelope corrections of a checkpoint: their prediction, codebooks and tables.

    python scripts/train_corrections.py --corpus data/corpus

Segments of the corpus are decoded with the stage counts of packets. In turns, the corrections that
would restore the original's band energies are quantised, which moves the codebooks, and the linear
prediction of a correction from the one before is fitted to the result. Then the tables are counted.
Corrections that the checkpoint had are replaced. Codes of latents and the learned entropy model
stay as they are; files made before name another model. It takes 25 minutes of one core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nacli.checkpoint import default_path
from training.envelope.corrections import train_corrections
from training.options import PATH


@click.command("train_corrections")
@click.option("--model", type=PATH, help="Checkpoint; default: the shipped one.")
@click.option("--out", type=PATH, help="Default: replace the checkpoint.")
@click.option("--corpus", type=PATH, default=Path("data/corpus"))
@click.option("--clips", default=9000, help="Segments of 1.2 s to learn from.")
@click.option("--rounds", default=8, help="Turns of codebooks and prediction.")
@click.option("--stages", default=3, help="Largest number of codes of a span.")
@click.option("--packets", default=1500, help="Segments to count the tables over, 1 s each.")
def main(model: Path | None, out: Path | None, **options: Any) -> None:
    """Write the checkpoint, and print the results on segments that were not learned from."""
    path = model or default_path()
    train_corrections(path, out or path, options)


if __name__ == "__main__":
    main()
