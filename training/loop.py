"""Steps until a training is done: its bar, its log, its states and what it sounds like."""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor
from tqdm import tqdm

from nacli.bench import metrics
from training.average import Average
from training.codec import Codec, alike
from training.corpus import Source, validation_clips
from training.log import Log
from training.parallel import agree, launch
from training.schedule import WARMUP
from training.states import save


class Training(ABC):
    """What a step changes and what a state keeps. This much all trainings share."""

    average: Average
    """Of the parameters that learn."""

    def __init__(self, codec: Codec, options: dict[str, Any]) -> None:
        self.codec, self.options = codec, options
        self.device = torch.device(options["device"])
        self.step, self.seconds = 0, 0.0
        self.past = {"steps": 0, "seconds": 0.0}

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

    @property
    def result(self) -> Codec:
        """The codec to listen to, with averaged weights."""
        averaged = Codec(self.codec.config).to(self.device)
        averaged.load_state_dict(self.codec.state_dict() | self.average.weights)
        return averaged

    def state(self) -> dict[str, Any]:
        return {
            "codec": self.codec.state_dict(),
            "average": self.average.weights,
            "step": self.step,
            "seconds": self.seconds,
            "past": self.past,
            "config": self.codec.config.to_json(),
        }

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        """Go on from a state, or, with `weights_only`, start anew from its averaged weights."""
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
        """How many samples a batch has."""
        return int(batch.numel())

    @abstractmethod
    def train_step(self, batch: Any) -> tuple[dict[str, float], Tensor]:
        """Learn from a batch, samples [B, T] if nothing else is said: the losses by name, and the
        codes [K, M]."""


def start_run(work: Callable[[int, dict[str, Any]], None], options: dict[str, Any]) -> None:
    """Make the run's folder, and `work` in as many processes as are asked for."""
    options["run"].mkdir(parents=True, exist_ok=True)
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    launch(work, options["workers"], options)


def listening_clips(sources: list[Source]) -> np.ndarray:
    """Two held-out clips of speech and two of music, 4 s each [4, samples]."""
    return np.concatenate([validation_clips(sources, kind, 4.0, 2) for kind in ("speech", "music")])


def run_steps(
    training: Training, draw: Callable[[], Any], clips: np.ndarray, run: Path, first: bool
) -> None:
    """Steps on what `draw` gives until the last or until the time is up; only the first process
    logs, listens and saves."""
    options = training.options
    path = run / "log.jsonl" if first else Path(os.devnull)
    log, saved = Log(path, options["log_steps"], training.codec.config), time.monotonic()
    bar = tqdm(
        total=options["steps"] if options["hours"] is None else None,
        initial=training.step,
        unit="step",
        disable=options["quiet"] or not first,
    )
    while not training.done:
        began = time.monotonic()
        batch = draw()
        parts, codes = training.train_step(batch)
        training.seconds = agree(training.seconds + time.monotonic() - began)
        bar.update()
        samples = training.samples(batch) * options["workers"]
        log.add(training.step, training.seconds, parts, codes, samples)
        if first and training.step % options["listen_steps"] == 0:
            listen(training.result, clips, run / "listen", training.step)
        if first and time.monotonic() - saved > 60 * options["save_minutes"]:
            save(training.state(), run / "state.pt")
            saved = time.monotonic()
    if first:
        save(training.state(), run / "state.pt")


@torch.no_grad()
def listen(codec: Codec, clips: np.ndarray, folder: Path, step: int) -> None:
    """Held-out clips at three rates, as WAV beside the originals; and a line of
    `brightness.jsonl`: how bright each rate is against the originals, in dB."""
    folder.mkdir(exist_ok=True)
    device, rate = next(codec.parameters()).device, codec.config.sample_rate
    row: dict[str, Any] = {"step": step}
    codec.eval()
    for count in (2, 4, 8):
        pcm = torch.from_numpy(clips).to(device)
        output = codec(pcm, alike(count)).output.cpu().numpy()
        for index, (clip, decoded) in enumerate(zip(clips, output, strict=True)):
            soundfile.write(folder / f"{index}-original.wav", clip, rate)
            soundfile.write(folder / f"{index}-{count}-{step}.wav", np.clip(decoded, -1, 1), rate)
        pairs = zip(clips, output, strict=True)
        brightness = [metrics.brightness(clip, decoded, rate) for clip, decoded in pairs]
        row[f"{count} stages"] = round(float(np.nanmean(brightness)), 2)
    with (folder / "brightness.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
