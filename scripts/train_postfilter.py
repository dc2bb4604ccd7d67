"""Train the post-filter of a checkpoint: gains of bands for decoded sound.

    python scripts/train_postfilter.py --corpus data/corpus

Segments of the corpus are decoded with the stage counts of packets, pass the pitch filter, and get
their envelope corrections. The post-filter learns gains that bring the compressed magnitudes
nearer to the original's, with the same weight for every Bark. Codes and entropy model stay as
they are; files made before name another model. It takes eight minutes of one core and 5 GB of
memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nacli.checkpoint import default_path
from training.envelope.post_filter import train_post_filter
from training.options import retrain_options


@click.command("train_postfilter")
@retrain_options(clips=4500, steps=12_000)
def main(model: Path | None, out: Path | None, **options: Any) -> None:
    """Write the checkpoint, and print the distance left on segments that were not learned from."""
    path = model or default_path()
    train_post_filter(path, out or path, options)


if __name__ == "__main__":
    main()
