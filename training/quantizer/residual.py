"""Residual vector quantiser with moving-average codebooks (van den Oord et al., 2017).

All sizes are fixed and no number goes to or comes from the CPU, so a CUDA graph can hold a step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.loop.parallel import from_first, sum_all
from training.quantizer.kmeans import kmeans, nearest

DEAD_COUNT = 1.0
"""A code whose moving count falls under this restarts at a random residual."""
MEMORY_STEPS = 50
"""Steps of a batch's frames to which the moving counts settle, whatever the decay."""
UNUSED_WEIGHT = 0.05
"""Weight of the residuals of audible frames in stages that their packet does not use."""


class Assignment(NamedTuple):
    """What a stage has quantised: residuals [M, D], their codes [M], and the weight [M] of each in
    the moving averages."""

    residuals: Tensor
    codes: Tensor
    weights: Tensor


class ResidualQuantizer(nn.Module):
    """Stages of codebooks [N, size, D]; each vector is the moving average of its residuals.

    With `groups` (Yang et al., 2023), a stage's vectors are zero outside its group of dimensions.
    A group takes every `groups`-th dimension, because latents run from low to high bands: halves
    would give as many bits to the weak upper bands as to the strong lower ones.
    """

    def __init__(self, stages: int, size: int, dim: int, groups: int = 1) -> None:
        super().__init__()
        self.frozen = False
        self.used: Tensor
        used = torch.arange(dim) % groups == torch.arange(stages)[:, None] % groups
        self.register_buffer("used", used.float(), persistent=False)
        self.decay: Tensor
        self.register_buffer("decay", torch.tensor(0.98), persistent=False)
        self.codebooks: Tensor
        self.counts: Tensor
        self.sums: Tensor
        self.register_buffer("codebooks", torch.zeros(stages, size, dim))
        self.register_buffer("counts", torch.zeros(stages, size))
        self.register_buffer("sums", torch.zeros(stages, size, dim))

    @torch.no_grad()
    def fit(self, latents: Tensor, batch_frames: int) -> None:
        """Start from k-means on `latents` [M, D], with the counts that the averages settle at when
        a batch has `batch_frames` frames."""
        residual = latents.clone()
        settled = MEMORY_STEPS * batch_frames / len(latents)
        for stage in range(len(self.codebooks)):
            centres, counts = kmeans(residual * self.used[stage], self.codebooks.shape[1])
            self.codebooks[stage] = centres
            self.counts[stage] = counts * settled
            self.sums[stage] = centres * self.counts[stage].unsqueeze(1)
            residual -= centres[nearest(residual, centres)]

    @torch.no_grad()
    def adopt(self, vectors: Tensor, batch_frames: int) -> None:
        """Start from finished codebooks [N, size, D], with equal counts that the averages settle
        at."""
        self.codebooks.copy_(vectors)
        self.counts.fill_(MEMORY_STEPS * batch_frames / vectors.shape[1])
        self.sums.copy_(self.codebooks * self.counts.unsqueeze(2))

    def forward(self, latents: Tensor, stages: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise latents [B, F, D] with the stage counts `stages` [B, F].

        Returns the quantised latents (straight-through gradient), the codes [K, B * F] and the
        commitment loss. Frames without a stage are silent: their shapes can be huge, and no
        codebook follows them.
        """
        flat = latents.reshape(-1, latents.shape[-1])
        limit = stages.reshape(-1, 1)
        total, commitment = torch.zeros_like(flat), flat.new_zeros(())
        residual, assignments = flat.detach(), []
        count = len(self.codebooks) if self.training else int(stages.max())
        for stage in range(count):
            own = residual * self.used[stage]
            code = nearest(own, self.codebooks[stage])
            vectors, active = self.codebooks[stage][code], (limit > stage).to(flat)
            residual = residual - vectors
            total = total + vectors * active
            commitment = commitment + ((flat - total).square() * active).mean()
            weights = UNUSED_WEIGHT * (limit > 0) + (1 - UNUSED_WEIGHT) * active
            assignments.append(Assignment(own, code, weights.squeeze(1)))
        if self.learns:
            self.update(assignments)
        quantized = (flat + (total - flat).detach()).view(latents.shape)
        rows = [assignment.codes for assignment in assignments]
        codes = torch.stack(rows) if rows else flat.new_zeros(0, len(flat), dtype=torch.long)
        return quantized, codes, commitment / max(1, count)

    @property
    def learns(self) -> bool:
        """Whether the codebooks follow their residuals."""
        return self.training and not self.frozen

    @torch.no_grad()
    def update(self, assignments: list[Assignment]) -> None:
        """Move each stage's averages by its residuals, summed over all processes."""
        counts, sums = torch.zeros_like(self.counts), torch.zeros_like(self.sums)
        for stage, (residuals, codes, weights) in enumerate(assignments):
            counts[stage].index_add_(0, codes, weights)
            sums[stage].index_add_(0, codes, residuals * weights[:, None])
        sum_all([counts, sums])
        new = (1 - self.decay) * MEMORY_STEPS
        self.counts.copy_(self.counts * self.decay + counts * new)
        self.sums.copy_(self.sums * self.decay + sums * new)
        for stage, (residuals, _, weights) in enumerate(assignments):
            self._restart(stage, residuals, weights)
        self.codebooks.copy_(self.sums / self.counts.unsqueeze(2))

    def _restart(self, stage: int, residuals: Tensor, weights: Tensor) -> None:
        """Move dead codes to random residuals, the same in every process; a residual without
        weight, which is one of silence, does not count."""
        codebook, counts, sums = self.codebooks[stage], self.counts[stage], self.sums[stage]
        dead = counts < DEAD_COUNT
        picked = torch.randint(len(residuals), (len(counts),), device=counts.device)
        usable = (weights[picked] > 0)[:, None]
        chosen = torch.where(usable, residuals[picked], codebook)
        from_first(chosen)
        counts.masked_fill_(dead, 5 * DEAD_COUNT)
        sums.copy_(torch.where(dead[:, None], 5 * DEAD_COUNT * chosen, sums))


def code_entropies(counts: Tensor) -> list[float]:
    """Return the entropy in bits of each stage from the counts [N, size] of its codes."""
    shares = counts / counts.sum(1, keepdim=True)
    bits: list[float] = torch.special.entr(shares).sum(1).div(torch.log(torch.tensor(2.0))).tolist()
    return bits
