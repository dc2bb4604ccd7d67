"""The log of a training, as lines of JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.quantizer.residual import code_entropies


class TrainingLog:
    """Writes the mean losses, the entropies of the codes and the speed every `every` steps.

    Losses stay on their device until then: a step does not wait for the one before.
    """

    def __init__(self, path: Path, every: int, sample_rate: int) -> None:
        self._file, self._every, self._rate = path.open("a"), every, sample_rate
        self._clear()

    def _clear(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._steps, self._samples, self._since = 0, 0, time.monotonic()

    def add(self, losses: dict[str, Tensor], samples: int) -> None:
        """Take in the losses of a step that trained on a number of samples."""
        if not self._sums:
            self._sums = {name: torch.zeros_like(value) for name, value in losses.items()}
        torch._foreach_add_(list(self._sums.values()), list(losses.values()))
        self._samples += samples
        self._steps += 1

    def write_means(self, step: int, seconds: float, counts: Tensor) -> None:
        """After every `every`-th step, write the means since the line before, and the entropies of
        codes that occur as often as the moving `counts` [N, size] say."""
        if step % self._every:
            return
        speed = self._samples / self._rate / (time.monotonic() - self._since)
        row: dict[str, Any] = {k: round(float(v) / self._steps, 4) for k, v in self._sums.items()}
        bits = [round(bits, 2) for bits in code_entropies(counts)]
        self.write(step, seconds, row | {"code_bits": bits, "audio_per_s": round(speed, 1)})
        self._clear()

    def write(self, step: int, seconds: float, row: dict[str, Any]) -> None:
        """Write a line with the steps and hours of training so far."""
        self._file.write(json.dumps({"step": step, "hours": round(seconds / 3600, 4)} | row) + "\n")
        self._file.flush()
