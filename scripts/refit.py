"""Finish a training: the mean of the networks of its last states, and codebooks fitted to it.

    python scripts/refit.py --state runs/a/state.pt --state runs/b/state.pt --out runs/model.pt

The weights of states that follow each other lie around something better than each of them (Izmailov
et al., 2018). Codebooks that are moving averages are noisy, and leave a third of the codes of deep
stages nearly unused; here they are fitted once more, to latents that learn no more. The new state
has no optimiser that fits it: export it, or start a training from its weights.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from nacli.config import ModelConfig
from nacli.networks.torch_engine import History
from training.codec import Codec
from training.corpus import Sampler, read_corpus
from training.states import load_state, save

BATCH, FRAMES = 16, 90


@click.command()
@click.option(
    "--state",
    "states",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Any number of them; of the last, more than its weights.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus"))
@click.option("--frames", default=160_000, help="Latents to fit to; each is 640 bytes.")
def main(states: tuple[Path, ...], out: Path, corpus: Path, frames: int) -> None:
    """Write the new state, and print the squared error that each stage leaves."""
    torch.manual_seed(1)
    loaded = [load_state(path, "cpu") for path in states]
    last = loaded[-1]
    codec = Codec(ModelConfig.from_json(last["config"]))
    codec.load_state_dict(last["codec"])
    weights = [state["codec"] | state.get("average", {}) for state in loaded]
    with torch.no_grad():
        for name, weight in codec.named_parameters():
            weight.copy_(torch.stack([state[name] for state in weights]).mean(0))
    hop, found = codec.config.hop, 0
    sampler, latents = Sampler(read_corpus(corpus), FRAMES * hop, seed=8), []
    while found < frames:
        with torch.no_grad():
            made, gains = codec.encoder(sampler.batch(BATCH), History())
        latents.append(made[gains > 0])
        found += len(latents[-1])
    errors = codec.quantizer.refit(torch.cat(latents), BATCH * FRAMES)
    print("squared error by stage: " + " ".join(f"{error:.2f}" for error in errors))
    save({**last, "codec": codec.state_dict(), "average": {}}, out)


if __name__ == "__main__":
    main()
