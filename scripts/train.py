"""Train the codec: Encoder, quantiser and Decoder together, resumable after any interruption.

    python scripts/train.py --corpus data/corpus --run runs/main --steps 12000

Starts from the exact transform codec (k-means codebooks on the untrained Encoder) and goes on from
`<run>/state.pt` when that exists. The same script runs on a CPU and on a GPU. It saves its state
every `--save-minutes`, and held-out clips as WAV beside their originals every `--listen-steps`.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.networks.torch_engine import History, compress, emphasis
from training.average import Average
from training.codec import Codec, as_encoded, autocast_blocks
from training.corpus import Sampler, read_corpus
from training.loop import Training, listening_clips, run_steps, start_run
from training.losses import Losses, Weights
from training.options import loss_options, losses_from, run_options
from training.parallel import average_gradients
from training.schedule import codebook_decay, learning_rate, parameter_groups, set_rate
from training.states import load_state


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


@torch.no_grad()
def start_corrections(
    codec: Codec, sampler: Sampler, batch_spans: int, device: str, count: int = 30_000
) -> None:
    """K-means codebooks of the corrections that the codec as it is would need."""
    found: list[Tensor] = []
    random = np.random.default_rng(0)
    codec.eval()
    while sum(map(len, found)) < count:
        pcm = sampler.batch(16).to(device)
        coded = codec(pcm, as_encoded(codec.config.stages, random))
        news = codec.corrections.news(coded.corrections)
        found.append(news[news.abs().amax(-1) > 0])  # not those of silence
    codec.corrections.fit(torch.cat(found)[:count], batch_spans)
    codec.train()


class Trainer(Training):
    """All parameters under the losses of `Losses`."""

    def __init__(self, codec: Codec, losses: Losses, options: dict[str, Any]) -> None:
        super().__init__(codec, options)
        self.losses = losses
        groups = parameter_groups(codec, options["encoder_rate"])
        self.optimizer = torch.optim.AdamW(groups, betas=(0.8, 0.99), weight_decay=0.01, fused=True)
        self.random = np.random.default_rng(options["seed"])
        self.average = Average(codec, options["ema"])

    def state(self) -> dict[str, Any]:
        return {**super().state(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        super().restore(state, weights_only)
        if not weights_only:
            self.optimizer.load_state_dict(state["optimizer"])

    def train_step(self, batch: Tensor) -> tuple[dict[str, float], Tensor]:
        peak, floor = (self.options[name] for name in ("rate", "floor"))
        rate = learning_rate(self.step, self.course, peak, floor)
        set_rate(self.optimizer, rate)
        for quantizer in (self.codec.quantizer, self.codec.corrections):
            quantizer.decay = codebook_decay(rate / peak)
        pcm = batch.to(self.device)
        coded = self.codec(pcm, as_encoded(self.codec.config.stages, self.random))
        corrections = coded.corrections.square().mean()
        parts = self.losses(pcm, coded.output, coded.commitment, corrections)
        self.optimizer.zero_grad(set_to_none=True)
        parts["total"].backward()
        average_gradients(self.codec.parameters())
        nn.utils.clip_grad_norm_(self.codec.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self.average.follow(self.step)
        return {name: float(value.detach()) for name, value in parts.items()}, coded.codes


@click.command()
@run_options(run="runs/main", steps=12_000, rate=5e-4, listen=2000)
@loss_options
@click.option("--commitment", default=Weights.commitment, help="Weight of the commitment loss.")
@click.option(
    "--corrections",
    default=Weights.corrections,
    help="Weight of levels that corrections must correct.",
)
@click.option(
    "--config", type=click.Path(path_type=Path), help="JSON configuration; else defaults."
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Start from the weights of a state or checkpoint.",
)
@click.option("--encoder-rate", default=0.2, help="Of the rate; 0 keeps Encoder and codebooks.")
@click.option("--floor", default=0.02, help="Share of the rate that it falls to.")
def main(**options: Any) -> None:
    """Train for STEPS steps or HOURS hours in all, resuming from <run>/state.pt."""
    start_run(work, options)


def work(rank: int, options: dict[str, Any]) -> None:
    """One process of the training, the only one unless `--workers` asks for more."""
    run: Path = options["run"]
    torch.manual_seed(options["seed"])
    values = json.loads(options["config"].read_text()) if options["config"] else {}
    codec = Codec(ModelConfig.from_json(values))
    hop, sources = codec.config.hop, read_corpus(options["corpus"])
    segment = round(options["segment"] * codec.config.frame_rate) * hop
    losses = losses_from(options, codec.config.sample_rate)
    state = run / "state.pt"
    found = state if state.exists() else options["init"]
    frames = options["workers"] * options["batch"] * segment // hop
    sampler = Sampler(sources, segment, options["seed"], options["music"])
    if not found:
        start(codec, sampler, frames)
    codec.to(options["device"])
    autocast_blocks(codec, options["device"], options["bf16"])
    trainer = Trainer(codec, losses, options)
    if found:
        trainer.restore(load_state(found, options["device"]), weights_only=found != state)
    if len(codec.corrections.codebooks) and not codec.corrections.counts.any():
        start_corrections(
            codec, sampler, frames // codec.config.correction_frames, options["device"]
        )
    codec.quantizer.frozen = options["encoder_rate"] == 0
    # every process draws its own segments, and a resumed run not those that it has seen
    sampler.random = np.random.default_rng(options["seed"] + trainer.step + 1_000_003 * rank)
    trainer.random = np.random.default_rng(options["seed"] + trainer.step + 7 * rank)
    draw = partial(sampler.batch, options["batch"])
    run_steps(trainer, draw, listening_clips(sources), run, first=rank == 0)


if __name__ == "__main__":
    main()
