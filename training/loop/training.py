"""Base class of the trainings of the codec, and the loop that runs their steps."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.codec import Codec
from training.loop.listening import write_clips
from training.loop.log import TrainingLog
from training.loop.parallel import agree, launch
from training.loop.schedule import WARMUP
from training.loop.states import save_state
from training.loop.weight_average import WeightAverage


class Training(ABC):
    """A training of the codec: its progress, its state, and its step."""

    average: WeightAverage
    """Average of the trainable parameters."""

    def __init__(self, codec: Codec, options: dict[str, Any]) -> None:
        self.codec, self.options = codec, options
        self.device = torch.device(options["device"])
        self.step, self.seconds = 0, 0.0
        self.past = {"steps": 0, "seconds": 0.0}

    @property
    def progress(self) -> float:
        """Position in the schedule, 0 to 1: by time with `--hours`, else by steps after the
        warm-up."""
        if self.options["hours"] is not None:
            return min(1.0, self.seconds / (3600 * self.options["hours"]))
        steps = self.options["steps"] - WARMUP
        return min(1.0, max(0, self.step - WARMUP) / max(1, steps))

    @property
    def done(self) -> bool:
        """Whether the steps or hours of the options have been trained."""
        if self.options["hours"] is not None:
            return self.progress >= 1
        return self.step >= self.options["steps"]

    @property
    def averaged_codec(self) -> Codec:
        """A copy of the codec with averaged weights."""
        averaged = Codec(self.codec.config).to(self.device)
        averaged.load_state_dict(self.codec.state_dict() | self.average.weights)
        return averaged

    def state(self) -> dict[str, Any]:
        """Return all that a resumed training needs."""
        return {
            "codec": self.codec.state_dict(),
            "average": self.average.weights,
            "step": self.step,
            "seconds": self.seconds,
            "past": self.past,
            "config": self.codec.config.to_json(),
        }

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        """Resume from a state, or, with `weights_only`, start anew from its averaged weights."""
        average = state.get("average", {})
        self.codec.load_state_dict(state["codec"] | (average if weights_only else {}))
        self.average.restore({} if weights_only else average)
        self.past = state.get("past", self.past)
        if weights_only:
            steps, seconds = (state.get(name, 0) for name in ("step", "seconds"))
            self.past = {
                "steps": self.past["steps"] + steps,
                "seconds": self.past["seconds"] + seconds,
            }
        else:
            self.step, self.seconds = state["step"], state["seconds"]

    def samples(self, batch: Any) -> int:
        """Return the number of samples of a batch."""
        return int(batch.numel())

    @abstractmethod
    def train_step(self, batch: Any) -> tuple[dict[str, float], Tensor]:
        """Learn from a batch, by default samples [B, T]; return the losses by name and the codes
        [K, M]."""


def start_run(work: Callable[[int, dict[str, Any]], None], options: dict[str, Any]) -> None:
    """Create the run's folder and call `work(rank, options)` in `--workers` processes."""
    options["run"].mkdir(parents=True, exist_ok=True)
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    launch(work, options["workers"], options)


def run_steps(
    training: Training, draw: Callable[[], Any], clips: np.ndarray, run: Path, first: bool
) -> None:
    """Train on the batches that `draw` returns until the training is done.

    Only the first process writes the log, the listening clips and the states.
    """
    options = training.options
    path = run / "log.jsonl" if first else Path(os.devnull)
    log, saved = TrainingLog(path, options["log_steps"], training.codec.config), time.monotonic()
    bar = tqdm(
        total=options["steps"] if options["hours"] is None else None,
        initial=training.step,
        unit="step",
        disable=options["quiet"] or not first,
    )
    while not training.done:
        began = time.monotonic()
        batch = draw()
        losses, codes = training.train_step(batch)
        training.seconds = agree(training.seconds + time.monotonic() - began)
        bar.update()
        samples = training.samples(batch) * options["workers"]
        log.add(training.step, training.seconds, losses, codes, samples)
        if first and training.step % options["listen_steps"] == 0:
            write_clips(training.averaged_codec, clips, run / "listen", training.step)
        if first and time.monotonic() - saved > 60 * options["save_minutes"]:
            save_state(training.state(), run / "state.pt")
            saved = time.monotonic()
    if first:
        save_state(training.state(), run / "state.pt")
