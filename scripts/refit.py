"""Average the networks of several training states, and refit the codebooks to the mean.

    python scripts/refit.py --recipe training/recipes/mean.toml

The new state's optimiser does not fit it: export the state, or start a training from its weights.
"""

from __future__ import annotations

from pathlib import Path

import click

from training.export.state_average import average_states
from training.options import PATH
from training.recipe import recipe_option


@click.command("refit")
@recipe_option
@click.option(
    "--state",
    "states",
    type=PATH,
    multiple=True,
    required=True,
    help="Training state; several are averaged, and all but the weights comes from the last.",
)
@click.option("--out", type=PATH, required=True)
@click.option("--corpus", type=PATH, default=Path("data/corpus"))
@click.option("--frames", default=160_000, help="Latents to fit to, of 640 bytes each.")
def main(states: tuple[Path, ...], out: Path, corpus: Path, frames: int) -> None:
    """Write the new state, and print the squared error that each stage leaves."""
    errors = average_states(states, corpus, frames, out)
    print("squared error by stage: " + " ".join(f"{error:.2f}" for error in errors))


if __name__ == "__main__":
    main()
