"""Measure adaptive filters on clips that a checkpoint decodes.

    python scripts/evaluate_filter.py --store runs/filter/speech.npz --run state.pt

The clips are held-out ends of the corpus, coded at 3.15 and 5.94 kbps. They are kept in `--store`
and not decoded again. The rows of the table give the figures at both bitrates. It needs the
packages of `pip install nacli[bench]` and `distillmos`.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from nacli.checkpoint import load_checkpoint
from training.adaptive_filter.evaluation import print_table, write_clips
from training.corpus.sampler import read_corpus
from training.options import PATH


@click.command("evaluate_filter")
@click.option("--store", type=PATH, required=True, help="Decoded clips, made where missing.")
@click.option("--model", type=PATH, help="Their checkpoint; default: the shipped one.")
@click.option("--corpus", type=PATH, default=Path("data/corpus"), help="Their origin.")
@click.option("--kind", default="speech", type=click.Choice(["speech", "music"]))
@click.option("--clips", default=12, help="Their number.")
@click.option("--run", "runs", type=PATH, multiple=True, help="State of a filter.")
@click.option("--baseline", is_flag=True, help="Measure the sound before the filter as well.")
def main(
    store: Path,
    model: Path | None,
    corpus: Path,
    kind: str,
    clips: int,
    runs: tuple[Path, ...],
    baseline: bool,
) -> None:
    """Print a table of quality at two bitrates."""
    torch.set_num_threads(1)
    codec = load_checkpoint(model)
    if not store.exists():
        write_clips(codec, read_corpus(corpus), kind, clips, store)
    if runs or baseline:
        print_table(codec, store, list(runs), baseline)


if __name__ == "__main__":
    main()
