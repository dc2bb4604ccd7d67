"""Batches of codes and their target samples, for the training of the Decoder alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nacli.config import ModelConfig
from nacli.quantizer.rvq import Codebooks, dequantize
from training.corpus.code_cache import CodedRecording

WARMUP_FRAMES = 12
"""Frames at the start of a batch that only fill the Decoder's context: they have no target."""


class DecoderBatch(NamedTuple):
    """Codes [B, N, F], their latents [B, F, D], gains and stage counts [B, F], and the target
    samples [B, T] of all frames but the first WARMUP_FRAMES."""

    codes: Tensor
    latents: Tensor
    gains: Tensor
    counts: Tensor
    target: Tensor

    @property
    def decoder_inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, gains and stage counts."""
        return self.latents, self.gains, self.counts

    def to(self, device: torch.device) -> DecoderBatch:
        """Return the batch on a device."""
        return DecoderBatch(*(x.to(device) for x in self))


class DecoderBatchSampler:
    """Draws batches from coded recordings, at the allocation levels of packets."""

    def __init__(
        self,
        recordings: list[CodedRecording],
        codebooks: Codebooks,
        config: ModelConfig,
        frames: int,
    ) -> None:
        """Draw `frames` frames with targets from each recording of a batch."""
        self._recordings, self._codebooks, self._config = recordings, codebooks, config
        self._frames = WARMUP_FRAMES + frames
        self.random = np.random.default_rng()

    def batch(self, size: int) -> DecoderBatch:
        """Draw a batch of `size` clips."""
        columns = zip(*(self._draw() for _ in range(size)), strict=True)
        return DecoderBatch(*(torch.from_numpy(np.stack(column)) for column in columns))

    def _draw(self) -> tuple[np.ndarray, ...]:
        recording = self._recordings[self.random.integers(len(self._recordings))]
        start = int(self.random.integers(len(recording.gains) - self._frames))
        part = slice(start, start + self._frames)
        coded = recording.draw(part, self.random)
        latents = dequantize(coded.codes, coded.counts, self._codebooks)
        hop, delay = self._config.hop, 1 + self._config.lookahead
        first, last = start + WARMUP_FRAMES - delay, start + self._frames - delay
        target = recording.pcm[first * hop : last * hop].astype(np.float32) / 32767
        gains, counts = (x.astype(np.int64) for x in (coded.gains, coded.counts))
        return coded.codes.T, latents, gains, counts, target
