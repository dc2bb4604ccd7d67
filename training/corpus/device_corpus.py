"""The corpus on a GPU, from which a step draws its own batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.corpus.sampler import MAX_GAIN_DB, SILENT_PEAK, Sampler

GRID = 2400
"""Samples between the positions that are tested for silence; a draw starts at any sample."""


class DeviceCorpus:
    """All training samples of a sampler's sources as int16 on a device.

    Batches have the distribution of `Sampler`, but are drawn by torch's own random numbers, so a
    CUDA graph can draw them.
    """

    def __init__(self, sampler: Sampler, device: torch.device) -> None:
        self.segment = sampler.segment
        starts, weights, offset, parts = [], [], 0, []
        for source, weight in zip(sampler.sources, sampler.weights, strict=True):
            audible = _audible_starts(source.training, self.segment)
            starts.append(offset + audible)
            weights.append(np.full(len(audible), weight / max(1, len(audible))))
            parts.append(np.asarray(source.training))
            offset += len(source.training)
        self._samples = torch.from_numpy(np.concatenate(parts)).to(device)
        self._starts = torch.from_numpy(np.concatenate(starts)).to(device)
        share = np.concatenate(weights)
        self._shares = torch.from_numpy(np.cumsum(share / share.sum())).to(device)
        self._span = torch.arange(self.segment, device=device)

    def batch(self, size: int) -> Tensor:
        """Draw segments [size, segment] within +-1, at random levels."""
        device = self._samples.device
        draws = torch.rand(size, dtype=torch.float64, device=device)
        chosen = torch.searchsorted(self._shares, draws).clamp_max(len(self._starts) - 1)
        starts = self._starts[chosen] + torch.randint(0, GRID, (size,), device=device)
        pcm = self._samples[starts[:, None] + self._span].float() / 32768
        decibels = (2 * torch.rand(size, 1, device=device) - 1) * MAX_GAIN_DB
        loudest = 0.99 / pcm.abs().amax(1, keepdim=True).clamp_min(1e-6)
        return pcm * torch.minimum(10 ** (decibels / 20), loudest)


def _audible_starts(samples: np.ndarray, segment: int) -> np.ndarray:
    """Return the positions, GRID samples apart, at which a segment is not silent and ends at least
    GRID samples before the end."""
    blocks = samples[: len(samples) // GRID * GRID].reshape(-1, GRID)
    loud = np.abs(blocks.astype(np.int32)).max(1) > SILENT_PEAK * 32768
    before = np.concatenate([[0], np.cumsum(loud)])
    first = np.arange(max(0, (len(samples) - segment) // GRID))
    last = first + max(1, segment // GRID)
    return first[before[last] > before[first]] * GRID
