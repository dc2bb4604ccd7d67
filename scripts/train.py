"""Train the codec: Encoder, quantiser and Decoder together, resumable after any interruption.

    python scripts/train.py --corpus data/corpus --run runs/main --steps 12000

Starts from the exact transform codec (k-means codebooks on the untrained Encoder) and goes on from
`<run>/state.pt` when that exists. The same script runs on a CPU and on a GPU. It saves its state
every `--save-minutes`, and held-out clips as WAV beside their originals every `--listen-steps`.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nacli.config import ModelConfig
from nacli.model import Decoder, Encoder, History, compress, emphasis
from nacli.model.layers import RecurrentLayer
from training.corpus import AMBIENCE, MUSIC, Sampler, read_corpus, validation_clips
from training.log import Log
from training.losses import CompressedLoss, Losses, Weights
from training.parallel import agree, average_gradients, launch
from training.quantizer import ResidualQuantizer
from training.states import save

STAGE_CHOICES = (1, 2, 3, 4, 6, 8, 12, 16)
CAREFUL = {
    "up_samples.steps.": 1.0,  # interpolation, which starts at random
    "down_": 0.05,
    "up_": 0.05,
    "features.": 0.05,
    "subframe.": 0.05,
    "pair.": 0.05,
    "project_": 0.2,
}
"""Parts that start as the exact transform, where the noise of full-size first steps would leak from
loud bands into quiet ones: they move at these fractions of the learning rate. The first that fits a
parameter's name counts."""
WARMUP = 200
"""Steps of linear warm-up."""


class Codec(nn.Module):
    """Encoder, quantiser and Decoder as one module, so that one state holds them all."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantizer = ResidualQuantizer(
            config.stages, config.codebook_size, config.latent_dim, config.quantizer_groups
        )

    def forward(self, pcm: Tensor, stages: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Samples [B, T] through `stages` [B] or [B, F]: output aligned with the input, codes,
        commitment loss."""
        hop = self.config.hop
        latents, gains = self.encoder(torch.nn.functional.pad(pcm, (0, hop)), History())
        counts = stages.reshape(len(pcm), -1).expand_as(gains)
        quantized, codes, commitment = self.quantizer(latents, counts)
        output = self.decoder(quantized, gains, counts, History())
        return output[:, hop:], codes, commitment


def parameter_groups(codec: Codec, encoder_rate: float) -> list[dict[str, Any]]:
    """One group per parameter; `scale` multiplies the scheduled learning rate."""
    groups = []
    for name, parameter in codec.named_parameters():
        scale = encoder_rate if name.startswith("encoder") else 1.0
        scale *= next((rate for part, rate in CAREFUL.items() if part in name), 1.0)
        parameter.requires_grad_(scale > 0)
        if scale:
            groups.append({"params": [parameter], "scale": scale})
    return groups


def learning_rate(step: int, course: float, peak: float) -> float:
    """Linear warm-up, and half a cosine down to a fiftieth of the peak as `course` goes to 1."""
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * course))
    return peak * min(1.0, (step + 1) / WARMUP) * cosine


def draw_stages(size: int, frames: int, generator: np.random.Generator) -> Tensor:
    """Stage counts [size, frames]: all stages for the first of the batch, so that every step trains
    every codebook, any shipped count for the rest. As in the allocation, frames differ by up to one
    stage, and now and then by many."""
    drawn = generator.choice(STAGE_CHOICES, (size, 1))
    drawn = drawn - generator.integers(0, 2, (size, frames)) * (generator.random((size, 1)) < 0.5)
    dropped = generator.random((size, frames)) < 0.03
    drawn = np.where(dropped, generator.integers(0, drawn + 1), drawn)
    drawn[0] = STAGE_CHOICES[-1]
    return torch.from_numpy(drawn)


@torch.no_grad()
def start(codec: Codec, sampler: Sampler, batch_frames: int, count: int = 64_000) -> None:
    """Set the band scale, then k-means codebooks, from the untrained Encoder's audible frames."""
    found: list[Tensor] = []
    while sum(map(len, found)) < count:
        pcm = sampler.batch(16)
        coefficients = codec.encoder.transform(pcm, History())
        gains = codec.encoder.gain.index(coefficients)
        shape = coefficients / codec.encoder.gain.amplitude(gains.clamp_min(1))
        found.append(compress(shape, codec.config.compand)[gains > 20])
    shapes = torch.cat(found)[:count]
    for network in (codec.encoder, codec.decoder):
        network.band_scale.copy_(shapes.square().mean(0).sqrt())
    latents = shapes[:, : codec.config.latent_dim] * emphasis(codec.config)
    codec.quantizer.fit(latents, batch_frames)


def has_bf16_units(device: str) -> bool:
    """Whether products in bfloat16 are faster than in float32 there; without units they crawl."""
    if device != "cpu":
        return True
    found = Path("/proc/cpuinfo")
    return found.exists() and bool({"avx512_bf16", "amx_bf16"} & set(found.read_text().split()))


def autocast_blocks(codec: Codec, device: str) -> None:
    """Run the blocks at the frame rate, where the work is, in bfloat16. Transforms, quantiser and
    losses keep float32: eight bits would be heard in them. So do recurrent layers, whose rounding
    errors would add up from frame to frame."""
    for layer in [*codec.encoder.layers, *codec.decoder.layers]:
        if isinstance(layer, RecurrentLayer):
            continue
        cast = torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
        layer.forward = cast(layer.forward)


class Trainer:
    """Holds what a step changes and what a checkpoint keeps."""

    def __init__(self, codec: Codec, losses: Losses, options: dict[str, Any]) -> None:
        self.codec, self.losses, self.options = codec, losses, options
        self.device = torch.device(options["device"])
        groups = parameter_groups(codec, options["encoder_rate"])
        self.optimizer = torch.optim.AdamW(groups, betas=(0.8, 0.99), weight_decay=0.01)
        self.step, self.seconds = 0, 0.0
        self.past = {"steps": 0, "seconds": 0.0}
        self.random = np.random.default_rng(options["seed"])

    @property
    def course(self) -> float:
        """How much of the schedule is over, 0 to 1: by time with `--hours`, else by steps after the
        warm-up."""
        if self.options["hours"] is not None:
            return min(1.0, self.seconds / (3600 * self.options["hours"]))
        steps = self.options["steps"] - WARMUP
        return min(1.0, max(0, self.step - WARMUP) / max(1, steps))

    @property
    def done(self) -> bool:
        if self.options["hours"] is not None:
            return self.course >= 1
        return self.step >= self.options["steps"]

    def state(self) -> dict[str, Any]:
        return {
            "codec": self.codec.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "past": self.past,
            "config": self.codec.config.to_json(),
        }

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        """Go on from a state, or, with `weights_only`, start anew from its weights."""
        self.codec.load_state_dict(state["codec"])
        self.past = state.get("past", self.past)
        if weights_only:
            steps, seconds = (state.get(name, 0) for name in ("step", "seconds"))
            self.past = {
                "steps": self.past["steps"] + steps,
                "seconds": self.past["seconds"] + seconds,
            }
        else:
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]

    def train_step(self, pcm: Tensor) -> tuple[dict[str, float], Tensor]:
        rate = learning_rate(self.step, self.course, self.options["rate"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        pcm = pcm.to(self.device)
        frames = pcm.shape[1] // self.codec.config.hop + 1
        stages = draw_stages(len(pcm), frames, self.random).to(self.device)
        output, codes, commitment = self.codec(pcm, stages)
        parts = self.losses(pcm, output.float(), commitment)
        self.optimizer.zero_grad(set_to_none=True)
        parts["total"].backward()
        average_gradients(self.codec.parameters())
        nn.utils.clip_grad_norm_(self.codec.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        return {name: float(value.detach()) for name, value in parts.items()}, codes


@torch.no_grad()
def write_listening_clips(codec: Codec, clips: np.ndarray, folder: Path, step: int) -> None:
    """Held-out clips at three rates, as WAV beside the originals."""
    folder.mkdir(exist_ok=True)
    device = next(codec.parameters()).device
    codec.eval()
    for count in (2, 4, 8):
        pcm = torch.from_numpy(clips).to(device)
        output = codec(pcm, torch.full((len(clips),), count, device=device))[0].cpu().numpy()
        for index, (clip, decoded) in enumerate(zip(clips, output, strict=True)):
            rate = codec.config.sample_rate
            soundfile.write(folder / f"{index}-original.wav", clip, rate)
            soundfile.write(folder / f"{index}-{count}-{step}.wav", np.clip(decoded, -1, 1), rate)
    codec.train()


def train(trainer: Trainer, sampler: Sampler, clips: np.ndarray, run: Path, first: bool) -> None:
    """Steps until the last or until the time is up; only the first process logs, listens and
    saves."""
    options = trainer.options
    path = run / "log.jsonl" if first else Path(os.devnull)
    log, saved = Log(path, options["log_steps"], trainer.codec.config), time.monotonic()
    bar = tqdm(
        total=options["steps"] if options["hours"] is None else None,
        initial=trainer.step,
        unit="step",
        disable=options["quiet"] or not first,
    )
    while not trainer.done:
        began = time.monotonic()
        pcm = sampler.batch(options["batch"])
        parts, codes = trainer.train_step(pcm)
        trainer.seconds = agree(trainer.seconds + time.monotonic() - began)
        bar.update()
        samples = pcm.numel() * options["workers"]
        log.add(trainer.step, trainer.seconds, parts, codes, samples)
        if first and trainer.step % options["listen_steps"] == 0:
            write_listening_clips(trainer.codec, clips, run / "listen", trainer.step)
        if first and time.monotonic() - saved > 60 * options["save_minutes"]:
            save(trainer.state(), run / "state.pt")
            saved = time.monotonic()
    if first:
        save(trainer.state(), run / "state.pt")


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus"))
@click.option("--run", type=click.Path(path_type=Path), default=Path("runs/main"))
@click.option(
    "--config", type=click.Path(path_type=Path), help="JSON configuration; else defaults."
)
@click.option("--init", type=click.Path(path_type=Path), help="Start from this state's weights.")
@click.option("--steps", default=12_000)
@click.option(
    "--hours",
    type=click.FloatRange(0, min_open=True),
    help="Train for so many hours instead of steps, past runs of the same state included.",
)
@click.option("--batch", default=8)
@click.option("--segment", default=1.2, help="Seconds, rounded to whole frames.")
@click.option("--rate", default=5e-4, help="Peak learning rate.")
@click.option("--encoder-rate", default=0.2, help="Of the rate; 0 keeps Encoder and codebooks.")
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu")
@click.option("--workers", default=1, help="Processes; on a CPU one per core is fastest.")
@click.option("--threads", default=0, help="CPU threads; 0 leaves torch's choice.")
@click.option("--bf16/--no-bf16", default=None, help="Autocast; default: where it is faster.")
@click.option("--seed", default=1)
@click.option("--save-minutes", default=3.0)
@click.option("--log-steps", default=100)
@click.option("--listen-steps", default=2000)
@click.option("--mel", default=Weights.mel, help="Weight of the log-mel loss.")
@click.option("--compressed", default=Weights.compressed, help="Weight of compressed spectra.")
@click.option("--waveform", default=Weights.waveform, help="Weight of the absolute difference.")
@click.option("--commitment", default=Weights.commitment, help="Weight of the commitment loss.")
@click.option("--exponent", default=0.3, help="Power that spectra are compressed by.")
@click.option(
    "--complex-share",
    type=click.FloatRange(0, 1),
    default=0.3,
    help="Of complex values in the loss of compressed spectra; magnitudes are the rest.",
)
@click.option("--tilt", default=1.0, help="Frequencies in that loss: 0 by Hz, 1 by Bark.")
@click.option(
    "--music",
    type=click.FloatRange(0, 1 - AMBIENCE),
    default=MUSIC,
    help=f"Share of music; ambience is {AMBIENCE:g}, the rest speech.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def main(**options: Any) -> None:
    """Train for STEPS steps or HOURS hours in all, resuming from <run>/state.pt."""
    options["run"].mkdir(parents=True, exist_ok=True)
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    launch(work, options["workers"], options)


def work(rank: int, options: dict[str, Any]) -> None:
    """One process of the training, the only one unless `--workers` asks for more."""
    run: Path = options["run"]
    torch.manual_seed(options["seed"])
    values = json.loads(options["config"].read_text()) if options["config"] else {}
    codec = Codec(ModelConfig.from_json(values))
    hop, sources = codec.config.hop, read_corpus(options["corpus"])
    segment = round(options["segment"] * codec.config.frame_rate) * hop
    weights = Weights(**{field.name: options[field.name] for field in fields(Weights)})
    rate = codec.config.sample_rate
    spectra = (options[name] for name in ("exponent", "complex_share", "tilt"))
    losses = Losses(rate, weights, CompressedLoss(rate, *spectra)).to(options["device"])
    state = run / "state.pt"
    found = state if state.exists() else options["init"]
    if not found:
        frames = options["workers"] * options["batch"] * segment // hop
        start(codec, Sampler(sources, segment, options["seed"], options["music"]), frames)
    codec.to(options["device"])
    bf16 = options["bf16"]
    if has_bf16_units(options["device"]) if bf16 is None else bf16:
        autocast_blocks(codec, options["device"])
    trainer = Trainer(codec, losses, options)
    if found:
        loaded = torch.load(found, map_location=options["device"], weights_only=True)
        trainer.restore(loaded, weights_only=found != state)
    codec.quantizer.frozen = options["encoder_rate"] == 0
    # every process draws its own segments, and a resumed run not those that it has seen
    seed = options["seed"] + trainer.step + 1_000_003 * rank
    sampler = Sampler(sources, segment, seed, options["music"])
    trainer.random = np.random.default_rng(options["seed"] + trainer.step + 7 * rank)
    clips = np.concatenate(
        [validation_clips(sources, kind, 4.0, 2) for kind in ("speech", "music")]
    )
    train(trainer, sampler, clips, run, first=rank == 0)


if __name__ == "__main__":
    main()
