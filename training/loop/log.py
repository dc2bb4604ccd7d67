"""The log of a training, as lines of JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nacli.config import ModelConfig
from training.quantizer.residual import code_entropies

RECENT = 16
"""Steps whose codes the entropies are measured over."""


class TrainingLog:
    """Writes the mean losses, the entropies of the codes and the speed every `every` steps."""

    def __init__(self, path: Path, every: int, config: ModelConfig) -> None:
        self._file, self._every, self._config = path.open("a"), every, config
        self._clear()

    def _clear(self) -> None:
        self._sums: dict[str, float] = {}
        self._codes: list[Tensor] = []
        self._samples, self._since = 0, time.monotonic()

    def add(
        self, step: int, seconds: float, losses: dict[str, float], codes: Tensor, samples: int
    ) -> None:
        """Take in a step.

        Args:
            step, seconds: steps and seconds of training so far.
            losses: values by name.
            codes: codes [K, M].
            samples: number of samples that the step trained on.
        """
        config = self._config
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in losses.items()}
        self._samples += samples
        if len(codes) == config.stages:
            self._codes = [*self._codes[1 - RECENT :], codes.cpu()]
        if step % self._every == 0 and self._codes:
            bits = code_entropies(torch.cat(self._codes, 1), config.codebook_size)
            speed = self._samples / config.sample_rate / (time.monotonic() - self._since)
            row: dict[str, Any] = {"step": step, "hours": round(seconds / 3600, 3)}
            row |= {name: round(value / self._every, 4) for name, value in self._sums.items()}
            row |= {"code_bits": [round(b, 2) for b in bits], "audio_per_s": round(speed, 1)}
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
            self._clear()
