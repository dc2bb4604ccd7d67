"""A run of the training of the adaptive filter: its steps, its log and its states."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from training.adaptive_filter.decoder_chain import hops_ahead
from training.adaptive_filter.evaluation import Rows, compare, enhance, read_clips
from training.adaptive_filter.segments import SegmentSampler
from training.adaptive_filter.states import load_filter_state
from training.adaptive_filter.trainer import BEFORE, FilterTrainer
from training.loop.states import save_state


def train_filter(options: dict[str, Any]) -> None:
    """Train for `steps` steps in all, resuming from `<run>/state.pt`."""
    run: Path = options["run"]
    run.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options["threads"])
    trainer, state = FilterTrainer(options), run / "state.pt"
    if state.exists():
        trainer.restore(load_filter_state(state))
    elif options["init"]:
        trainer.start_from(options["init"])
    clips = read_clips(options["validation"]) if options["validation"] else None
    FilterRun(trainer, clips).train()


class FilterRun:
    """The loop of a run, with its log of JSON lines in `<run>/log.jsonl`."""

    def __init__(self, trainer: FilterTrainer, clips: Rows | None) -> None:
        self.trainer, self.options, self.clips = trainer, trainer.options, clips
        decoder, seed = trainer.decoder, self.options["seed"] + trainer.step
        around = (BEFORE, hops_ahead(decoder)) if decoder else (0, 0)
        self.sampler = SegmentSampler(self.options["cache"], self.options["frames"], seed, *around)
        self._log = (self.options["run"] / "log.jsonl").open("a")
        self._sums: dict[str, list[float]] = {}

    def train(self) -> None:
        """Train until all steps are done; save and validate by the clock."""
        trainer, steps = self.trainer, self.options["steps"]
        saved = listened = time.monotonic()
        bar = tqdm(total=steps, initial=trainer.step, unit="step", disable=self.options["quiet"])
        while trainer.step < steps:
            began = time.monotonic()
            self._add(trainer.train_step(self.sampler.batch(self.options["batch"])))
            trainer.seconds += time.monotonic() - began
            bar.update()
            if time.monotonic() - saved > 60 * self.options["save_minutes"]:
                self._save()
                saved = time.monotonic()
            if time.monotonic() - listened > 60 * self.options["quality_minutes"]:
                self._measure_quality()
                listened = time.monotonic()
        self._save()

    def _add(self, losses: dict[str, float]) -> None:
        """Take in the losses of a step; log their means every `log_steps` steps."""
        for name, value in losses.items():
            self._sums.setdefault(name, []).append(value)
        if self.trainer.step % self.options["log_steps"] == 0:
            self._write({name: sum(v) / len(v) for name, v in self._sums.items()})
            self._sums.clear()

    def _write(self, row: dict[str, Any]) -> None:
        """Write a line with the progress and numbers by name."""
        progress = {"step": self.trainer.step, "hours": round(self.trainer.seconds / 3600, 3)}
        rounded = json.loads(json.dumps(row), parse_float=lambda text: round(float(text), 4))
        self._log.write(json.dumps(progress | rounded) + "\n")
        self._log.flush()

    def _save(self) -> None:
        """Save the state, log the validation loss, and read new files of the cache."""
        save_state(self.trainer.state(), self.options["run"] / "state.pt")
        self.sampler.refresh()
        if self.clips:
            self._write({"validation": self.trainer.validation_loss(self.clips)})

    def _measure_quality(self) -> None:
        """Log DistillMOS and PESQ of the validation clips; the state with the best sum of
        DistillMOS is kept as `<run>/best.pt`."""
        if not self.clips:
            return
        networks = self.trainer.averaged(), self.trainer.averaged_decoder()
        figures = compare(self.clips, partial(enhance, *networks), quick=True)
        self._write({"quality": figures})
        total = sum(row[0] for row in figures)
        if total > self.trainer.best:
            self.trainer.best = total
            save_state(self.trainer.state(), self.options["run"] / "best.pt")
