"""Decode the corpus for the training of the adaptive filter.

    python scripts/cache_enhancer.py --state wide.pt --corpus ../shared/corpus

Every Opus file of the corpus becomes a file of decoded segments with the Decoder's features. The
command continues where it stopped, and a training reads new files while it runs.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from training.adaptive_filter.cache import fill_cache
from training.options import PATH


@click.command("cache_enhancer")
@click.option("--state", type=PATH, required=True, help="State of a training on a GPU.")
@click.option("--corpus", type=PATH, required=True, help="Folder of Opus files.")
@click.option("--out", type=PATH, default=Path("runs/enhancer/cache"))
def main(state: Path, corpus: Path, out: Path) -> None:
    """Write the files that the cache lacks, and print their names."""
    torch.set_num_threads(1)
    fill_cache(state, corpus, out)


if __name__ == "__main__":
    main()
