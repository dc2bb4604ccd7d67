"""Turn a training state into the checkpoint that ships: float16 weights, int8 codebooks, tables.

    python scripts/export.py --state runs/main/state.pt --out models/nacli-24k.safetensors

With `--decoder-for` only the Decoder and its corrections are taken from the state: codes mean what they
did, though files made before name another model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from nacli.api import decode, encode
from nacli.checkpoint import PREDICTOR, Model, load_checkpoint, save_checkpoint
from nacli.config import ModelConfig
from nacli.entropy import CorrectionTables
from nacli.envelope.predictor import DecayPredictor
from nacli.networks.torch_engine import Networks
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.corpus import Sampler, read_corpus
from training.states import load_state
from training.tables import fit_tables

MAX_BYTES = 16 << 20


def read_states(
    paths: tuple[Path, ...], last: bool = False
) -> tuple[ModelConfig, Tensors, Codebooks, dict[str, Any]]:
    """Configuration, float16 weights, rounded codebooks and what is known of the training. Weights
    are the mean of all states', each its moving averages where it has them, unless `last`; all else
    is the last state's."""
    states = [load_state(path, "cpu") for path in paths]
    state = states[-1]
    config = ModelConfig.from_json(state.get("config", {}))
    found = [s["codec"] | ({} if last else s.get("average", {})) for s in states]
    weights = {
        name: torch.stack([tensors[name].float() for tensors in found]).mean(0).half().numpy()
        for name in found[-1]
        if name.startswith(("encoder.", "decoder."))
    }
    vectors, corrections = (
        state["codec"][f"{n}.codebooks"].numpy() for n in ("quantizer", "corrections")
    )
    codebooks = Codebooks.from_vectors(
        vectors, Codebooks.from_vectors(corrections) if len(corrections) else None
    )
    past = state.get("past", {"steps": 0, "seconds": 0.0})
    steps = past["steps"] + state.get("step", 0)
    hours = round((past["seconds"] + state.get("seconds", 0.0)) / 3600, 2)
    return config, weights, codebooks, {"steps": steps, "hours": hours}


def correction_table(tables: CorrectionTables | None) -> Tensors:
    """What a checkpoint holds of their probabilities."""
    if tables is None:
        return {}
    rows = {"entropy.trim_numbers": tables.counts, "entropy.trims": tables.codes}
    return {name: table.astype(np.uint32) for name, table in rows.items()}


def level_lost(model: Model, sampler: Sampler, clips: int) -> float:
    """By how many dB segments of the corpus come back too soft, on average.

    Losses that compare waveforms are lowest where what is uncertain is left out, and corrections cannot
    make up for that behind them: the last layers learn to lower everything.
    """
    rate, lost = model.config.sample_rate, []
    for pcm in sampler.batch(clips).numpy():
        decoded, _ = decode(encode(pcm, rate, model=model), model=model)
        powers = [float(np.square(x, dtype=np.float64).mean()) for x in (pcm, decoded)]
        lost.append(10 * np.log10(powers[0] / max(powers[1], 1e-12)))
    return float(np.median(lost))


def raised(tensors: Tensors, decibels: float) -> Tensors:
    """The tensors of a checkpoint whose Decoder is louder by so much: its last layers have no bias,
    and nothing comes after them."""
    factor = 10 ** (decibels / 20)
    louder = {
        name: (factor * tensors[name]).astype(np.float16)
        for name in ("decoder.features.skip.weight", "decoder.features.second.weight")
    }
    return tensors | louder


def with_decoder(tensors: Tensors, weights: Tensors, codebooks: Codebooks) -> Tensors:
    """The tensors of a checkpoint with the Decoder of `weights`, and the corrections of `codebooks`.

    Raises `click.ClickException` where Encoder or codebooks are others: codes would mean another
    sound, and the entropy model would no longer fit.
    """
    kept = {name: weight for name, weight in weights.items() if name.startswith("encoder.")}
    kept |= {"codebooks.entries": codebooks.entries, "codebooks.scales": codebooks.scales}
    for name, tensor in kept.items():
        if not np.array_equal(tensors[name], tensor):
            raise click.ClickException(f"the checkpoint has another {name}")
    left = ("decoder.", PREDICTOR)
    others = {name: t for name, t in tensors.items() if not name.startswith(left)}
    made = {name: weight for name, weight in weights.items() if name not in kept}
    return others | made | correction_vectors(codebooks)


def correction_vectors(codebooks: Codebooks) -> Tensors:
    """What a checkpoint holds of the corrections' codebooks; nothing where there are none."""
    if codebooks.corrections is None:
        return {}
    return {
        "trims.entries": codebooks.corrections.entries,
        "trims.scales": codebooks.corrections.scales,
    }


@click.command()
@click.option(
    "--state",
    "states",
    type=click.Path(path_type=Path),
    multiple=True,
    default=[Path("runs/main/state.pt")],
    help="Of several, the mean of their weights.",
)
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus"))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("models/nacli-24k.safetensors")
)
@click.option("--packets", default=4000, help="Seconds of corpus to count the tables over.")
@click.option(
    "--decoder-for",
    type=click.Path(path_type=Path),
    help="Take all but the Decoder from this checkpoint, whose Encoder and codebooks were kept.",
)
@click.option("--levels", default=200, help="Clips whose level sets that of the Decoder; 0: none.")
@click.option("--last", is_flag=True, help="The last weights where the state has averages too.")
def main(
    states: tuple[Path, ...],
    corpus: Path,
    out: Path,
    packets: int,
    decoder_for: Path | None,
    levels: int,
    last: bool,
) -> None:
    """Export a checkpoint and print its size and digest."""
    config, weights, codebooks, training = read_states(states, last)
    sampler = Sampler(read_corpus(corpus), 150 * config.hop, seed=5)
    expected = DecayPredictor(config.correction_memory)
    networks = Networks(config, weights)
    tables = fit_tables(config, networks, codebooks, expected, sampler, packets)
    if decoder_for is not None:
        tensors = with_decoder(load_checkpoint(decoder_for).tensors, weights, codebooks)
    else:
        tensors = {
            **weights,
            "codebooks.entries": codebooks.entries,
            "codebooks.scales": codebooks.scales,
            "entropy.gains": tables.gain_table.astype(np.uint32),
            "entropy.codes": tables.code_table.astype(np.uint32),
            **correction_vectors(codebooks),
        }
    tensors |= correction_table(tables.corrections)
    if levels:
        sampler = Sampler(read_corpus(corpus), 3 * config.sample_rate, seed=6)
        tensors = raised(tensors, level_lost(Model(config, tensors), sampler, levels))
    save_checkpoint(out, config, tensors, {"training": training})
    size = out.stat().st_size
    if size > MAX_BYTES:
        raise click.ClickException(f"{out} has {size} bytes, more than {MAX_BYTES}")
    print(f"{out}: {size} bytes, {training['steps']} steps, {training['hours']} h of training")


if __name__ == "__main__":
    main()
