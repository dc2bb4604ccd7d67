"""Measure adaptive filters on clips that a state of a training on a GPU decodes.

    python scripts/evaluate_enhancer.py --state wide.pt --clips DIR --store clips.npz --run state.pt

The decoded clips are kept in `--store` and not decoded again. The rows of the table give the
figures at two rates. It needs the packages of `pip install nacli[bench]` and `distillmos`.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from training.adaptive_filter.evaluation import print_table, write_clips
from training.options import PATH


@click.command("evaluate_enhancer")
@click.option("--store", type=PATH, required=True, help="Decoded clips, made where missing.")
@click.option("--state", type=PATH, help="State of a training on a GPU, to decode with.")
@click.option("--clips", type=PATH, help="Folder of .npy or .flac clips to decode.")
@click.option("--run", "runs", type=PATH, multiple=True, help="State of a filter.")
@click.option("--baseline", is_flag=True, help="Measure the Decoder alone as well.")
@click.option(
    "--allocate",
    is_flag=True,
    help="Stage counts as packets of 3.2 and 6 kbps have them, estimated, instead of 4 and 8.",
)
def main(
    store: Path,
    state: Path | None,
    clips: Path | None,
    runs: tuple[Path, ...],
    baseline: bool,
    allocate: bool,
) -> None:
    """Print a table of quality at two rates."""
    torch.set_num_threads(1)
    if not store.exists():
        if state is None or clips is None:
            raise click.UsageError(f"{store} is missing: --state and --clips are needed to make it")
        write_clips(state, clips, store, allocate)
    print_table(store, list(runs), baseline)


if __name__ == "__main__":
    main()
