"""A run of the training of the Decoder: where it starts, and the batches that it draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from nacli.checkpoint import load_checkpoint
from nacli.config import ModelConfig
from training.codec import Codec
from training.corpus.code_cache import CodedRecording, cached_codes
from training.corpus.decoder_batches import DecoderBatch, DecoderBatchSampler
from training.corpus.sampler import read_corpus
from training.decoder.trainer import DecoderTrainer
from training.loop.listening import listening_clips
from training.loop.states import load_state
from training.loop.training import run_steps
from training.options import losses_from
from training.precision import autocast_blocks


def train_decoder(rank: int, options: dict[str, Any]) -> None:
    """Run one process of the training, the only one unless `--workers` asks for more."""
    torch.manual_seed(options["seed"])
    trainer = _started(options)
    draw = _batches(trainer, rank, options)
    clips = listening_clips(read_corpus(options["corpus"]))
    run_steps(trainer, draw, clips, options["run"], first=rank == 0)


def _started(options: dict[str, Any]) -> DecoderTrainer:
    """Return a trainer that resumes `<run>/state.pt`, or starts from `--weights` or `--init`."""
    state: Path = options["run"] / "state.pt"
    source = state if state.exists() else options["weights"] or options["init"]
    loaded = load_state(source, options["device"])
    if source != state and options["config"]:
        changes = json.loads(options["config"].read_text())
        config = replace(ModelConfig.from_json(loaded["config"]), **changes)
        loaded = with_configuration(config, loaded)
    codec = Codec(ModelConfig.from_json(loaded["config"])).to(options["device"])
    autocast_blocks(codec, options["device"], options["bf16"])
    trainer = DecoderTrainer(codec, losses_from(options, codec.config.sample_rate), options)
    kind = options["discriminator"] if trainer.discriminator else None
    if source == state and loaded.get("kind") != kind:
        raise click.ClickException(
            f"{state}: this run has no discriminator {kind!r}; start from it with --weights"
            if kind
            else f"{state}: this run has a discriminator; start from it with --weights"
        )
    trainer.restore(loaded, weights_only=source != state)
    return trainer


def with_configuration(config: ModelConfig, state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with the Decoder of another configuration; new parts start untrained.

    Raises `click.ClickException` where more than the Decoder differs.
    """
    codec = Codec(config)
    weights = state["codec"] | state.get("average", {})
    try:
        missing, unexpected = codec.load_state_dict(weights, strict=False)
    except RuntimeError:
        missing, unexpected = [], ["sizes"]
    if unexpected or any(not name.startswith("decoder.") for name in missing):
        raise click.ClickException(
            "--config: only the Decoder may differ, and only by parts that are new"
        )
    return {**state, "codec": codec.state_dict(), "average": {}, "config": config.to_json()}


def _batches(
    trainer: DecoderTrainer, rank: int, options: dict[str, Any]
) -> Callable[[], DecoderBatch]:
    """Return a function that draws the next batch.

    Each step and process has its own seed, so that a resumed run draws what it would have drawn
    without the interruption.
    """
    model, config = load_checkpoint(options["init"]), trainer.codec.config
    corpus, hours, music = (options[name] for name in ("corpus", "code_hours", "music"))
    share = slice(rank, None, options["workers"])
    recordings = cached_codes(
        CodedRecording, model, corpus, options["codes"], 3600 * hours, music, share
    )
    frames = round(options["segment"] * config.frame_rate)
    sampler = DecoderBatchSampler(recordings, model.codebooks, config, frames)

    def draw() -> DecoderBatch:
        torch.manual_seed(options["seed"] + trainer.step)
        sampler.random = np.random.default_rng((options["seed"], rank, trainer.step))
        return sampler.batch(options["batch"])

    return draw
