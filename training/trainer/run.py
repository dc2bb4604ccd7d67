"""A run of the trainer: where it starts, the batches that it draws, and the loop of its steps."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from nacli.config import ModelConfig
from training.codec import Codec
from training.corpus.device_corpus import DeviceCorpus
from training.corpus.sampler import Sampler, read_corpus
from training.discriminators.discriminators import read_weights
from training.loop.log import TrainingLog
from training.loop.parallel import agree, launch
from training.loop.states import load_state, save_state, save_weights, state_config
from training.options import losses_from
from training.precision import autocast_blocks
from training.trainer.codebook_start import start_latents
from training.trainer.cuda_graph import allow_fast_products, shift_convolutions
from training.trainer.trainer import CodecTrainer
from training.trainer.validation import Validation


def start_run(options: dict[str, Any]) -> None:
    """Create the run's folder and train in `--workers` processes."""
    options["run"].mkdir(parents=True, exist_ok=True)
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    launch(train_codec, options["workers"], options)


def train_codec(rank: int, options: dict[str, Any]) -> None:
    """Run one process of the training, the only one unless `--workers` asks for more."""
    torch.manual_seed(options["seed"])
    if options["device"].startswith("cuda"):
        allow_fast_products()
    source, state = _source(options)
    config = _config(state, options["config"])
    segment = round(options["segment"] * config.frame_rate) * config.hop
    sources = read_corpus(options["corpus"])
    sampler = Sampler(sources, segment, options["seed"], options["music"])
    codec = Codec(config)
    if state is None:
        frames = options["workers"] * options["batch"] * segment // config.hop
        start_latents(codec, sampler, frames)
    codec.to(options["device"])
    if options["device"].startswith("cuda"):
        shift_convolutions(codec)
    autocast_blocks(codec, options["device"], options["bf16"])
    losses = losses_from(options, config.sample_rate)
    trainer = CodecTrainer(codec, losses, _batches(sampler, rank, options), options)
    if state is not None:
        (trainer.restore if source == "resume" else trainer.start_from)(state)
    if trainer.adversary and options["discriminators"] and source != "resume":
        trainer.adversary.discriminators.adopt(read_weights(options["discriminators"]))
    Run(trainer, Validation(sources), first=rank == 0).train()


def _source(options: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Return where the run starts, and the state there: its own, that of `--init`, or none."""
    own = options["run"] / "state.pt"
    if own.exists():
        return "resume", load_state(own, options["device"])
    if options["init"]:
        return "init", load_state(options["init"], options["device"])
    return "nothing", None


def _config(state: dict[str, Any] | None, changes: Path | None) -> ModelConfig:
    """Return the configuration of a state, or that of `--config`."""
    if state is not None:
        return state_config(state)
    values = json.loads(changes.read_text()) if changes else {}
    return ModelConfig.from_json({"correction_stages": 0} | values)


def _batches(sampler: Sampler, rank: int, options: dict[str, Any]) -> Callable[[int], Tensor]:
    """Return a function that draws the batch of a step on the device.

    On a CPU each step and process has its own seed, so that a resumed run draws what it would have
    drawn without the interruption. On a GPU the corpus lies there, and a CUDA graph draws from it.
    """
    device = torch.device(options["device"])
    if device.type == "cuda":
        corpus = DeviceCorpus(sampler, device)
        return lambda step: corpus.batch(options["batch"])

    def draw(step: int) -> Tensor:
        sampler.random = np.random.default_rng((options["seed"], rank, step))
        torch.manual_seed(int(sampler.random.integers(2**62)))
        return sampler.batch(options["batch"])

    return draw


class Run:
    """The loop of a run. Only the `first` process writes: the log, clips, and states."""

    def __init__(self, trainer: CodecTrainer, validation: Validation, first: bool) -> None:
        self.trainer, self.options, self.first = trainer, trainer.options, first
        self._validation, self._folder = validation, trainer.options["run"]
        path = self._folder / "log.jsonl" if first else Path(os.devnull)
        rate = trainer.codec.config.sample_rate
        self._log = TrainingLog(path, self.options["log_steps"], rate)

    def train(self) -> None:
        """Train until the steps or the time of the options are over, and write the state."""
        trainer, options = self.trainer, self.options
        samples = round(options["segment"] * trainer.codec.config.sample_rate)
        samples *= options["batch"] * options["workers"]
        trainer.prepare()
        began = time.monotonic() - trainer.seconds
        saved = validated = time.monotonic()
        steps = options["steps"] if options["seconds"] is None else None
        hidden = options["quiet"] or not self.first
        bar = tqdm(total=steps, initial=trainer.step, unit="step", disable=hidden)
        while trainer.spent < 1:
            self._log.add(trainer.train_step(), samples)
            trainer.seconds = agree(time.monotonic() - began)
            bar.update()
            self._log.write_means(trainer.step, trainer.seconds, trainer.codec.quantizer.counts)
            if self.first and time.monotonic() - validated > 60 * options["validate_minutes"]:
                self._validate()
                validated = time.monotonic()
            if self.first and time.monotonic() - saved > 60 * options["save_minutes"]:
                save_state(trainer.state(), self._folder / "state.pt")
                saved = time.monotonic()
        if self.first:
            save_state(trainer.state(), self._folder / "state.pt")
            save_weights(trainer.state(), self._folder)
            self._validate()

    def _validate(self) -> None:
        """Log the figures of held-out clips, decoded with averaged weights."""
        codec = self.trainer.averaged_codec
        row = self._validation.measure(codec, self._folder / "listen", self.trainer.step)
        self._log.write(self.trainer.step, self.trainer.seconds, row)
