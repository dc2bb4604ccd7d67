"""Decode the corpus for the training of the adaptive filter.

    python scripts/cache_filter.py --corpus data/corpus

Each file has 12 clips of 9.6 s, coded at random bitrates and decoded by a checkpoint up to the
filter. The command continues where it stopped, several may fill other files of one cache, and a
training reads new files while it runs.
"""

from __future__ import annotations

from pathlib import Path

import click

from nacli.checkpoint import load_checkpoint
from training.adaptive_filter.cache import fill_cache
from training.corpus.sampler import read_corpus
from training.options import PATH


@click.command("cache_filter")
@click.option("--model", type=PATH, help="Checkpoint; default: the shipped one.")
@click.option("--corpus", type=PATH, default=Path("data/corpus"))
@click.option("--out", type=PATH, default=Path("runs/filter/cache"))
@click.option("--first", default=0, help="Number of the first file.")
@click.option("--files", default=40, help="Files, each of 1.9 minutes; a quarter has music.")
def main(model: Path | None, corpus: Path, out: Path, first: int, files: int) -> None:
    """Write the files that the cache lacks, and print their names and bitrates."""
    fill_cache(load_checkpoint(model), read_corpus(corpus), out, range(first, first + files))


if __name__ == "__main__":
    main()
