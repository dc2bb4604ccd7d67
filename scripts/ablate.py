"""Compare designs: train each for the same time, and measure all alike.

    python scripts/ablate.py recurrent --corpus data/corpus --out runs/ablation --hours 0.2
    python scripts/ablate.py --table runs/ablation

An arm differs from `conv`, the shipped design, in one thing. Each starts as the exact transform
codec and trains in one process with one thread. It is then measured on whole clips with a fixed
number of stages for every frame, without entropy coding or allocation. `<out>/<arm>.json` has the
figures. An interrupted arm resumes.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch

from train import main as train_command
from training.ablation.arms import ARMS
from training.ablation.report import markdown, table, write_report
from training.options import PATH
from training.recipe import RECIPES


def train_arm(arm: str, corpus: Path, run: Path, hours: float, device: str) -> None:
    """Train from the exact transform, or resume, until `<run>/state.pt` has had its hours."""
    config, options = ARMS[arm]
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config))
    values = {
        "recipe": RECIPES / "ablation.toml",
        "corpus": corpus,
        "run": run,
        "config": run / "config.json",
        "hours": hours,
        "device": device,
        **options,
    }
    arguments = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    train_command.main(arguments, standalone_mode=False)


@click.command("ablate")
@click.argument("arm", type=click.Choice(list(ARMS)), required=False)
@click.option("--corpus", type=PATH, default=Path("data/corpus"))
@click.option("--out", type=PATH, default=Path("runs/ablation"), help="Folder of the results.")
@click.option("--hours", default=0.2, help="Hours of training.")
@click.option("--clips", type=PATH, default=Path("../shared/eval"), help="Folder to measure on.")
@click.option("--seconds", default=6.0, help="Seconds of each clip to measure on.")
@click.option("--device", default="cpu", help="To train on; figures are measured on the CPU.")
@click.option(
    "--table",
    "results",
    type=click.Path(path_type=Path, exists=True),
    help="Print the results in this folder.",
)
def main(
    arm: str | None,
    corpus: Path,
    out: Path,
    hours: float,
    clips: Path,
    seconds: float,
    device: str,
    results: Path | None,
) -> None:
    """Train and measure ARM, or print the table of a folder."""
    if results is not None:
        print(table(results))
        return
    if arm is None:
        raise click.UsageError("name an arm, or a folder with --table")
    torch.set_num_threads(1)
    train_arm(arm, corpus, out / arm, hours, device)
    report = out / f"{arm}.json"
    write_report(arm, out / arm, clips, seconds, report)
    print(markdown([json.loads(report.read_text())]))


if __name__ == "__main__":
    main()
