"""The mean of several training states, with codebooks fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from nacli.networks.torch_engine import History
from training.corpus.sampler import Sampler, read_corpus
from training.loop.states import load_codec, load_state, save_state

BATCH, FRAMES = 16, 90
"""Clips of a batch, and frames of a clip."""


def average_states(paths: Sequence[Path], corpus: Path, frames: int, out: Path) -> list[float]:
    """Write a state with the mean weights of several states, and refit the codebooks to it.

    All but the weights comes from the last state. The mean of weights of successive states is
    better than each of them (Izmailov et al., 2018). Codebooks that are moving averages are noisy
    and leave a third of the codes of deep stages nearly unused, so they are fitted once more to
    `frames` latents of the finished Encoder.

    Returns the mean squared error after each stage.
    """
    torch.manual_seed(1)
    states = [load_state(path, "cpu") for path in paths]
    codec = load_codec(states[-1])
    weights = [state["codec"] | state.get("average", {}) for state in states]
    with torch.no_grad():
        for name, weight in codec.named_parameters():
            weight.copy_(torch.stack([state[name] for state in weights]).mean(0))
    sampler, latents, count = Sampler(read_corpus(corpus), FRAMES * codec.config.hop, seed=8), [], 0
    while count < frames:
        with torch.no_grad():
            vectors, gains = codec.encoder(sampler.batch(BATCH), History())
        latents.append(vectors[gains > 0])
        count += len(latents[-1])
    errors = codec.quantizer.refit(torch.cat(latents), BATCH * FRAMES)
    save_state({**states[-1], "codec": codec.state_dict(), "average": {}}, out)
    return errors
