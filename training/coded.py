"""Batches of recordings as the frozen Encoder codes them: what a Decoder alone learns from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nacli.config import ModelConfig
from nacli.quantizer.rvq import Codebooks, dequantize
from training.codes import Recording

LEAD = 12
"""Frames at the start of a batch that are only there for what comes after them to follow."""


class Batch(NamedTuple):
    """Codes [B, N, F] with what they stand for: latents [B, F, D], gains and stage counts [B, F];
    and the samples [B, T] that the Decoder should make of all frames but the first LEAD."""

    codes: Tensor
    latents: Tensor
    gains: Tensor
    counts: Tensor
    target: Tensor

    @property
    def coded(self) -> tuple[Tensor, Tensor, Tensor]:
        """What the Decoder needs."""
        return self.latents, self.gains, self.counts

    def to(self, device: torch.device) -> Batch:
        return Batch(*(x.to(device) for x in self))


class CodedSampler:
    """Draws batches from recordings, at the levels that packets get."""

    def __init__(
        self, recordings: list[Recording], codebooks: Codebooks, config: ModelConfig, frames: int
    ) -> None:
        """`frames` is how many of each recording count."""
        self._recordings, self._codebooks, self._config = recordings, codebooks, config
        self._frames = LEAD + frames
        self.random = np.random.default_rng()

    def batch(self, size: int) -> Batch:
        columns = zip(*(self._draw() for _ in range(size)), strict=True)
        return Batch(*(torch.from_numpy(np.stack(column)) for column in columns))

    def _draw(self) -> tuple[np.ndarray, ...]:
        recording = self._recordings[self.random.integers(len(self._recordings))]
        start = int(self.random.integers(len(recording.gains) - self._frames))
        part = slice(start, start + self._frames)
        coded = recording.draw(part, self.random)
        latents = dequantize(coded.codes, coded.counts, self._codebooks)
        hop, late = self._config.hop, 1 + self._config.lookahead
        first, last = start + LEAD - late, start + self._frames - late
        target = recording.pcm[first * hop : last * hop].astype(np.float32) / 32767
        gains, counts = (x.astype(np.int64) for x in (coded.gains, coded.counts))
        return coded.codes.T, latents, gains, counts, target
