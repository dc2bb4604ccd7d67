"""Residual vector quantiser with moving-average codebooks (van den Oord et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.loop.parallel import from_first, sum_all
from training.quantizer.kmeans import cluster_means, kmeans, nearest

DEAD_COUNT = 1.0
"""A code whose moving count falls under this restarts at a random residual."""
RARE_SHARE = 0.05
"""Share of the mean use under which a code is moved when codebooks are refitted."""

Assignment = tuple[Tensor, Tensor]
"""Residuals [M, D] that a stage has quantised, and their codes [M]."""


class ResidualQuantizer(nn.Module):
    """Stages of codebooks [N, size, D]; each vector is the moving average of its residuals.

    With `groups` (Yang et al., 2023), a stage's vectors are zero outside its group of dimensions.
    A group takes every `groups`-th dimension, because latents run from low to high bands: halves
    would give as many bits to the weak upper bands as to the strong lower ones.
    """

    def __init__(
        self, stages: int, size: int, dim: int, groups: int = 1, decay: float = 0.98
    ) -> None:
        super().__init__()
        self.decay, self.frozen = decay, False
        self.used: Tensor
        used = torch.arange(dim) % groups == torch.arange(stages)[:, None] % groups
        self.register_buffer("used", used.float(), persistent=False)
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
        settled = batch_frames / (1 - self.decay) / len(latents)
        for stage in range(len(self.codebooks)):
            centres, counts = kmeans(residual * self.used[stage], self.codebooks.shape[1])
            self.codebooks[stage] = centres
            self.counts[stage] = counts * settled
            self.sums[stage] = centres * self.counts[stage].unsqueeze(1)
            residual -= centres[nearest(residual, centres)]

    @torch.no_grad()
    def refit(self, latents: Tensor, batch_frames: int, rounds: int = 3) -> list[float]:
        """Move the codebooks to the cluster means of latents [M, D] of a finished Encoder.

        Rare codes move next to the most used ones. Returns the mean squared error after each
        stage.
        """
        residual, errors = latents.clone(), []
        for stage, codebook in enumerate(self.codebooks):
            own = residual * self.used[stage]
            code = nearest(own, codebook)
            for _ in range(rounds):
                means, counts = cluster_means(own, code, len(codebook))
                codebook[counts > 0] = means[counts > 0]
                rare = (counts < RARE_SHARE * len(own) / len(codebook)).nonzero().squeeze(1)
                crowded = codebook[counts.argsort(descending=True)[: len(rare)]]
                samples = own[torch.randint(len(own), (len(rare),))]
                codebook[rare] = crowded + 0.1 * (samples - crowded)
                code = nearest(own, codebook)
            residual -= codebook[code]
            errors.append(float(residual.square().sum(1).mean()))
        self.adopt(self.codebooks, batch_frames)
        return errors

    @torch.no_grad()
    def adopt(self, vectors: Tensor, batch_frames: int) -> None:
        """Start from finished codebooks [N, size, D], with equal counts that the averages settle
        at."""
        self.codebooks.copy_(vectors)
        self.counts.fill_(batch_frames / (1 - self.decay) / vectors.shape[1])
        self.sums.copy_(self.codebooks * self.counts.unsqueeze(2))

    def forward(self, latents: Tensor, stages: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise latents [B, F, D] with the stage counts `stages` [B, F].

        Returns the quantised latents (straight-through gradient), the codes [K, B * F] and the
        commitment loss.
        """
        shape = latents.shape
        flat = latents.reshape(-1, shape[-1])
        limit = stages.reshape(-1, 1)
        total, commitment, codes = torch.zeros_like(flat), flat.new_zeros(()), []
        assignments: list[Assignment] = []
        # processes move their codebooks together, so all of them must come to every stage
        for stage in range(len(self.codebooks) if self.learns else int(stages.max())):
            residual = (flat - total).detach() * self.used[stage]
            code = nearest(residual, self.codebooks[stage])
            assignments.append((residual, code))
            active = limit > stage
            total = total + self.codebooks[stage][code] * active
            commitment = commitment + ((flat - total).square() * active).mean()
            codes.append(code)
        if self.learns:
            self.update(assignments)
        quantized = (flat + (total - flat).detach()).view(shape)
        rows = torch.stack(codes) if codes else flat.new_zeros(0, len(flat), dtype=torch.long)
        return quantized, rows, commitment / max(1, len(codes))

    @property
    def learns(self) -> bool:
        """Whether the codebooks follow their residuals."""
        return self.training and not self.frozen

    @torch.no_grad()
    def update(self, assignments: list[Assignment]) -> None:
        """Move each stage's averages by its residuals, summed over all processes."""
        counts, sums = torch.zeros_like(self.counts), torch.zeros_like(self.sums)
        for stage, (residual, code) in enumerate(assignments):
            counts[stage].index_add_(0, code, torch.ones_like(code, dtype=counts.dtype))
            sums[stage].index_add_(0, code, residual)
        sum_all([counts, sums])
        for stage, (residual, _) in enumerate(assignments):
            self.counts[stage].mul_(self.decay).add_(counts[stage])
            self.sums[stage].mul_(self.decay).add_(sums[stage])
            self._restart(stage, residual)
            self.codebooks[stage] = self.sums[stage] / self.counts[stage].unsqueeze(1)

    def _restart(self, stage: int, residual: Tensor) -> None:
        """Move dead codes to random residuals, the same in every process."""
        dead = (self.counts[stage] < DEAD_COUNT).nonzero().squeeze(1)
        if not len(dead):
            return
        # a stage without residuals, which is rare, keeps its codes
        chosen = self.codebooks[stage, dead]
        if len(residual):
            chosen = residual[torch.randint(len(residual), (len(dead),))]
        from_first(chosen)
        self.counts[stage, dead] = 5 * DEAD_COUNT
        self.sums[stage, dead] = 5 * DEAD_COUNT * chosen


def code_entropies(codes: Tensor, size: int) -> list[float]:
    """Return the entropy in bits of each stage's codes [K, M] from a codebook of `size` vectors."""
    bits = []
    for row in codes:
        share = torch.bincount(row, minlength=size).float() / row.numel()
        bits.append(float(-(share[share > 0] * share[share > 0].log2()).sum()))
    return bits
