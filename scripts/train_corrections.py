"""Train the envelope corrections of a checkpoint: their predictor, codebooks and tables.

    python scripts/train_corrections.py --corpus data/corpus

Segments of the corpus are decoded with the stage counts of packets. A network learns to predict
the corrections that would restore the original's band energies, from the decoded band energies
and the correction before, as decoders have them. The codebooks start from k-means and follow what
the prediction leaves. Then the tables are counted. Corrections that the checkpoint had are
replaced. Codes of latents and the learned entropy model stay as
they are; files made before name another model. It takes fifteen minutes of one core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nacli.checkpoint import default_path
from training.envelope.corrections import train_corrections
from training.options import retrain_options


@click.command("train_corrections")
@retrain_options(clips=9000, steps=6000)
@click.option("--stages", default=3, help="Largest number of codes of a span.")
@click.option("--packets", default=1500, help="Segments to count the tables over, 1 s each.")
def main(model: Path | None, out: Path | None, **options: Any) -> None:
    """Write the checkpoint, and print the results on segments that were not learned from."""
    path = model or default_path()
    train_corrections(path, out or path, options)


if __name__ == "__main__":
    main()
