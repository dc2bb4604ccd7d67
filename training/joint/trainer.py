"""Training of Encoder, quantiser and Decoder together."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from training.codec import Codec
from training.corpus.sampler import Sampler, read_corpus
from training.joint.codebook_start import start_corrections, start_latents
from training.loop.listening import listening_clips
from training.loop.parallel import average_gradients
from training.loop.schedule import codebook_decay, learning_rate, parameter_groups, set_rate
from training.loop.states import load_state
from training.loop.training import Training, run_steps
from training.loop.weight_average import WeightAverage
from training.losses.reconstruction import ReconstructionLosses
from training.options import losses_from
from training.precision import autocast_blocks
from training.stage_allocation import random_allocation


class JointTrainer(Training):
    """Trains all parameters under the reconstruction losses."""

    def __init__(self, codec: Codec, losses: ReconstructionLosses, options: dict[str, Any]) -> None:
        super().__init__(codec, options)
        self.losses = losses
        groups = parameter_groups(codec, options["encoder_rate"])
        self.optimizer = torch.optim.AdamW(groups, betas=(0.8, 0.99), weight_decay=0.01, fused=True)
        self.random = np.random.default_rng(options["seed"])
        self.average = WeightAverage(codec, options["ema"])

    def state(self) -> dict[str, Any]:
        return {**super().state(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        super().restore(state, weights_only)
        if not weights_only:
            self.optimizer.load_state_dict(state["optimizer"])

    def train_step(self, batch: Tensor) -> tuple[dict[str, float], Tensor]:
        peak, floor = (self.options[name] for name in ("rate", "floor"))
        rate = learning_rate(self.step, self.progress, peak, floor)
        set_rate(self.optimizer, rate)
        for quantizer in (self.codec.quantizer, self.codec.corrections):
            quantizer.decay = codebook_decay(rate / peak)
        pcm = batch.to(self.device)
        coded = self.codec(pcm, random_allocation(self.codec.config.stages, self.random))
        corrections = coded.corrections.square().mean()
        losses = self.losses(pcm, coded.output, coded.commitment, corrections)
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        average_gradients(self.codec.parameters())
        nn.utils.clip_grad_norm_(self.codec.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.step)
        return {name: float(value.detach()) for name, value in losses.items()}, coded.codes


def train_codec(rank: int, options: dict[str, Any]) -> None:
    """Run one process of the training, the only one unless `--workers` asks for more."""
    run: Path = options["run"]
    torch.manual_seed(options["seed"])
    values = json.loads(options["config"].read_text()) if options["config"] else {}
    codec = Codec(ModelConfig.from_json(values))
    sources = read_corpus(options["corpus"])
    segment = round(options["segment"] * codec.config.frame_rate) * codec.config.hop
    sampler = Sampler(sources, segment, options["seed"], options["music"])
    trainer = _started(codec, sampler, options)
    # every process draws its own segments, and a resumed run draws new ones
    sampler.random = np.random.default_rng(options["seed"] + trainer.step + 1_000_003 * rank)
    trainer.random = np.random.default_rng(options["seed"] + trainer.step + 7 * rank)
    draw = partial(sampler.batch, options["batch"])
    run_steps(trainer, draw, listening_clips(sources), run, first=rank == 0)


def _started(codec: Codec, sampler: Sampler, options: dict[str, Any]) -> JointTrainer:
    """Return a trainer that resumes `<run>/state.pt`, or starts from `--init` or from nothing."""
    losses, device = losses_from(options, codec.config.sample_rate), options["device"]
    state = options["run"] / "state.pt"
    source = state if state.exists() else options["init"]
    frames = options["workers"] * options["batch"] * sampler.segment // codec.config.hop
    if not source:
        start_latents(codec, sampler, frames)
    codec.to(device)
    autocast_blocks(codec, device, options["bf16"])
    trainer = JointTrainer(codec, losses, options)
    if source:
        trainer.restore(load_state(source, device), weights_only=source != state)
    if len(codec.corrections.codebooks) and not codec.corrections.counts.any():
        spans = frames // codec.config.correction_frames
        start_corrections(codec, sampler, spans, device)
    codec.quantizer.frozen = options["encoder_rate"] == 0
    return trainer
