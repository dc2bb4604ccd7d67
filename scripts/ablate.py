"""One design against the others: train each for the same time, measure all alike.

    python scripts/ablate.py recurrent --corpus data/corpus --out runs/ablation --hours 0.2
    python scripts/ablate.py --table runs/ablation

An arm differs from `conv`, the shipped design, in one thing. Each starts as the exact transform
codec and trains in one process with one thread. It is then measured on whole clips with a fixed
number of stages for every frame: no entropy coding, no allocation. `<out>/<arm>.json` has the
figures. An arm that was stopped goes on.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from nacli.bench import metrics
from nacli.bench.clips import Clip, find_clips, read_clip, resample
from nacli.config import ModelConfig
from nacli.networks.torch_engine import History
from train import main as trainer
from training.codec import Codec, alike
from training.quantizer import usage_bits

STAGES = (2, 4, 8)
BITS_STAGES = 4
"""Over how many first stages the bits per code are averaged."""

Arm = tuple[dict[str, Any], dict[str, Any]]

ARMS: dict[str, Arm] = {
    "conv": ({}, {}),
    "attention": ({"attention_every": 2}, {}),
    "recurrent": ({"recurrent_layers": 2}, {}),
    "groups2": ({"quantizer_groups": 2}, {}),
    "hierarchy": ({"pair_blocks": 1}, {}),
    "transposed": ({"upsampling": "transposed"}, {}),
    "interpolation": ({"upsampling": "interpolation"}, {}),
    "narrow": ({"width": 192, "hidden": 576}, {}),
    "wide": ({"width": 384, "hidden": 1152}, {}),
    "deep": ({"encoder_blocks": 8, "decoder_blocks": 10}, {}),
    "shallow": ({"encoder_blocks": 3, "decoder_blocks": 4}, {}),
    "latent128": ({"latent_dim": 128}, {}),
    "latent224": ({"latent_dim": 224}, {}),
    "no-level": ({"normalize": False}, {}),
    "music15": ({}, {"music": 0.15}),
    "music50": ({}, {"music": 0.5}),
    "mel1": ({}, {"mel": 1.0}),
    "complex0": ({}, {"complex-share": 0.0}),
    "complex1": ({}, {"complex-share": 1.0}),
    "no-emphasis": ({"emphasis": 0.0}, {}),
    "by-hertz": ({}, {"tilt": 0.0}),
}
"""By name: what differs in the configuration, and in the options of the training."""

TRAINING = {"batch": 6, "rate": 4e-4, "encoder-rate": 0.25, "workers": 1, "threads": 1}


def train_arm(arm: str, corpus: Path, run: Path, hours: float, device: str) -> None:
    """Train from the exact start, or go on, until `<run>/state.pt` has had its hours."""
    config, options = ARMS[arm]
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config))
    options = {
        **TRAINING,
        "corpus": corpus,
        "run": run,
        "config": run / "config.json",
        "hours": hours,
        "device": device,
        **options,
    }
    given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    trainer.main(given, standalone_mode=False)


def load_codec(path: Path) -> tuple[Codec, dict[str, Any]]:
    """The codec of a training state, ready to be measured on a CPU, and the state."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    codec = Codec(ModelConfig.from_json(state["config"]))
    codec.load_state_dict(state["codec"])
    return codec.eval(), state


@torch.no_grad()
def round_trip(codec: Codec, clip: Clip, stages: int) -> tuple[np.ndarray, torch.Tensor]:
    """A clip [T, 1] with `stages` codes for every frame, at its own rate; and the codes [K, F]."""
    rate, hop = codec.config.sample_rate, codec.config.hop
    pcm = resample(clip.pcm, clip.rate, rate)[:, 0]
    padded = np.pad(pcm, (0, -len(pcm) % hop))
    coded = codec(torch.from_numpy(padded)[None], alike(stages))
    decoded = resample(coded.output[0, : len(pcm), None].numpy(), rate, clip.rate)
    return decoded[: len(clip.pcm), 0], coded.codes


def score(clip: Clip, decoded: np.ndarray) -> dict[str, float]:
    """Figures of one decoded clip [T]."""
    original = clip.pcm[:, 0]
    row = {"mel": metrics.log_mel_distance(original, decoded, clip.rate)}
    if clip.group == "speech":
        speech_rate = metrics.SPEECH_RATE
        pair = [resample(x[:, None], clip.rate, speech_rate)[:, 0] for x in (original, decoded)]
        row |= {"pesq": metrics.pesq_wb(*pair), "estoi": metrics.estoi(*pair)}
    return row


def measure(codec: Codec, clips: list[Clip]) -> dict[str, float]:
    """Means over clips as `<group> <figure> <stages>`, bits per code, and speed."""
    rows: dict[str, list[float]] = {}
    for stages in STAGES:
        codes = []
        for clip in clips:
            decoded, found = round_trip(codec, clip, stages)
            codes.append(found)
            for name, value in score(clip, decoded).items():
                rows.setdefault(f"{clip.group} {name} {stages}", []).append(value)
    figures = {name: float(np.nanmean(values)) for name, values in rows.items()}
    bits = usage_bits(torch.cat(codes, 1)[:BITS_STAGES], codec.config.codebook_size)
    return {**figures, "bits": float(np.mean(bits)), "speed": speed(codec, clips)}


@torch.no_grad()
def speed(codec: Codec, clips: list[Clip]) -> float:
    """Audio seconds that Encoder and Decoder get through in a second of CPU time."""
    audio = taken = 0.0
    for clip in clips:
        pcm = torch.from_numpy(resample(clip.pcm, clip.rate, codec.config.sample_rate)[:, 0])
        pcm = pcm[None, : len(pcm) // codec.config.hop * codec.config.hop]
        began = time.process_time()
        latents, gains = codec.encoder(pcm, History())
        codec.decoder(latents, gains, torch.full_like(gains, STAGES[-1]), History())
        taken += time.process_time() - began
        audio += pcm.shape[1] / codec.config.sample_rate
    return audio / taken


COLUMNS = {
    "steps": "steps",
    "weights": "weights (M)",
    **{f"speech pesq {stages}": f"PESQ-WB {stages}" for stages in STAGES},
    **{f"speech estoi {stages}": f"ESTOI {stages}" for stages in STAGES},
    **{f"speech mel {stages}": f"mel, speech {stages}" for stages in STAGES},
    **{f"music mel {stages}": f"mel, music {stages}" for stages in STAGES},
    "bits": "bits a code",
    "speed": "audio s per CPU s",
}
"""Of the table, by the names of the figures; the last number is the stages."""


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table of arms; a dash for what was not measured."""
    lines = ["| arm | " + " | ".join(COLUMNS.values()) + " |", "|---" * (1 + len(COLUMNS)) + "|"]
    for row in rows:
        values = [row["figures"].get(name) for name in COLUMNS]
        cells = ["-" if value is None else _cell(value) for value in values]
        lines.append(f"| {row['arm']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: float) -> str:
    return (
        str(value) if isinstance(value, int) else f"{value:.3f}" if value < 10 else f"{value:.1f}"
    )


def write_report(arm: str, run: Path, clips: Path, seconds: float, out: Path) -> None:
    """Measure a trained arm into `out`."""
    codec, state = load_codec(run / "state.pt")
    found = [read_clip(path, seconds, mono=True) for path in find_clips([str(clips)])]
    networks = [*codec.encoder.parameters(), *codec.decoder.parameters()]
    figures = {
        "steps": state["step"],
        "weights": sum(parameter.numel() for parameter in networks) / 1e6,
        **measure(codec, found),
    }
    config, options = ARMS[arm]
    row = {
        "arm": arm,
        "config": config,
        "options": options,
        "hours": state["seconds"] / 3600,
        "clips": len(found),
        "figures": figures,
    }
    out.write_text(json.dumps(row, indent=2) + "\n")


@click.command()
@click.argument("arm", type=click.Choice(list(ARMS)), required=False)
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus"))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/ablation"))
@click.option("--hours", default=0.2, help="Of training.")
@click.option("--clips", type=click.Path(path_type=Path), default=Path("../shared/eval"))
@click.option("--seconds", default=6.0, help="Of each clip.")
@click.option("--device", default="cpu", help="To train on; figures are taken on the CPU.")
@click.option("--table", type=click.Path(path_type=Path, exists=True), help="Print its results.")
def main(
    arm: str | None,
    corpus: Path,
    out: Path,
    hours: float,
    clips: Path,
    seconds: float,
    device: str,
    table: Path | None,
) -> None:
    """Train and measure ARM, or print the table of a folder."""
    if table is not None:
        paths = [table / f"{name}.json" for name in ARMS]
        print(markdown([json.loads(path.read_text()) for path in paths if path.exists()]))
        return
    if arm is None:
        raise click.UsageError("name an arm, or a folder with --table")
    torch.set_num_threads(1)
    train_arm(arm, corpus, out / arm, hours, device)
    write_report(arm, out / arm, clips, seconds, out / f"{arm}.json")
    print(markdown([json.loads((out / f"{arm}.json").read_text())]))


if __name__ == "__main__":
    main()
