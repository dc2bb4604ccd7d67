"""Residual vector quantiser with moving-average codebooks (van den Oord et al., 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from training.parallel import from_first, sum_all

DEAD_COUNT = 1.0
"""A code whose moving count falls under this restarts at a random residual."""
CODE_BITS = 10.0
"""Of a correction code, with its share of what says how many there are."""
RARE = 0.05
"""Of the mean use: a code that is used less goes elsewhere when codebooks are fitted again."""


def nearest(points: Tensor, codebook: Tensor) -> Tensor:
    """Index [M] of the nearest row of `codebook` [N, D] for each of `points` [M, D]."""
    return torch.addmm(codebook.square().sum(1), points, codebook.T, alpha=-2).argmin(1)


def means(points: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Of the points [M, D] that have each of `size` codes [M], zero for none; and how many."""
    counts = torch.bincount(codes, minlength=size).to(points)
    sums = points.new_zeros(size, points.shape[1]).index_add_(0, codes, points)
    return sums / counts.clamp_min(1).unsqueeze(1), counts


def kmeans(points: Tensor, size: int, rounds: int = 10) -> tuple[Tensor, Tensor]:
    """Lloyd's algorithm: centres [size, D] and how many points each has. Empty centres restart."""
    centres = points[torch.randperm(len(points))[:size]].clone()
    for _ in range(rounds):
        centres, counts = means(points, nearest(points, centres), size)
        empty = counts == 0
        centres[empty] = points[torch.randint(len(points), (int(empty.sum()),))]
    return centres, counts


class ResidualQuantizer(nn.Module):
    """Stages of codebooks [N, size, D], trained by moving averages of what each code was given.

    With `groups` (Yang et al., 2023), a stage's vectors are zero but in its group of dimensions:
    every `groups`-th one, since latents run from low to high bands. Halves would give as many bits
    to the weak upper bands as to the strong lower ones.
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
        """Start from k-means on `latents` [M, D], with the counts that the averages settle at."""
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
        """Move each stage to the means of what its codes are nearest to, of latents [M, D] that
        learn no more. Codes that hardly any of them is nearest to go beside those of the most.
        The mean squared error after each stage."""
        residual, errors = latents.clone(), []
        for stage, book in enumerate(self.codebooks):
            own = residual * self.used[stage]
            code = nearest(own, book)
            for _ in range(rounds):
                centres, counts = means(own, code, len(book))
                book[counts > 0] = centres[counts > 0]
                rare = (counts < RARE * len(own) / len(book)).nonzero().squeeze(1)
                crowded = book[counts.argsort(descending=True)[: len(rare)]]
                book[rare] = crowded + 0.1 * (own[torch.randint(len(own), (len(rare),))] - crowded)
                code = nearest(own, book)
            residual -= book[code]
            errors.append(float(residual.square().sum(1).mean()))
        self.adopt(self.codebooks, batch_frames)
        return errors

    @torch.no_grad()
    def adopt(self, vectors: Tensor, batch_frames: int) -> None:
        """Start from finished codebooks, with equal counts that the averages settle at."""
        self.codebooks.copy_(vectors)
        self.counts.fill_(batch_frames / (1 - self.decay) / vectors.shape[1])
        self.sums.copy_(self.codebooks * self.counts.unsqueeze(2))

    def forward(self, latents: Tensor, stages: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise [B, F, D] with `stages` [B, F] stages each.

        Returns the quantised latents (straight-through gradient), the codes [K, B * F] and the
        commitment loss.
        """
        shape = latents.shape
        flat = latents.reshape(-1, shape[-1])
        limit = stages.reshape(-1, 1)
        total, commitment, codes = torch.zeros_like(flat), flat.new_zeros(()), []
        found: list[tuple[Tensor, Tensor]] = []
        learns = self.training and not self.frozen
        # processes move their codebooks together, so all of them must come to every stage
        for stage in range(len(self.codebooks) if learns else int(stages.max())):
            residual = (flat - total).detach() * self.used[stage]
            code = nearest(residual, self.codebooks[stage])
            found.append((residual, code))
            active = limit > stage
            total = total + self.codebooks[stage][code] * active
            commitment = commitment + ((flat - total).square() * active).mean()
            codes.append(code)
        if learns:
            self._update(found)
        quantized = (flat + (total - flat).detach()).view(shape)
        rows = torch.stack(codes) if codes else flat.new_zeros(0, len(flat), dtype=torch.long)
        return quantized, rows, commitment / max(1, len(codes))

    @torch.no_grad()
    def _update(self, found: list[tuple[Tensor, Tensor]]) -> None:
        """Move each stage's averages by the residuals [M, D] that its codes [M] were given."""
        counts, sums = torch.zeros_like(self.counts), torch.zeros_like(self.sums)
        for stage, (residual, code) in enumerate(found):
            counts[stage].index_add_(0, code, torch.ones_like(code, dtype=counts.dtype))
            sums[stage].index_add_(0, code, residual)
        sum_all([counts, sums])
        for stage, (residual, _) in enumerate(found):
            self.counts[stage].mul_(self.decay).add_(counts[stage])
            self.sums[stage].mul_(self.decay).add_(sums[stage])
            self._restart(stage, residual)
            self.codebooks[stage] = self.sums[stage] / self.counts[stage].unsqueeze(1)

    def _restart(self, stage: int, residual: Tensor) -> None:
        """Move dead codes to random residuals, the same in every process."""
        dead = (self.counts[stage] < DEAD_COUNT).nonzero().squeeze(1)
        if not len(dead):
            return
        chosen = residual[torch.randint(len(residual), (len(dead),))]
        from_first(chosen)
        self.counts[stage, dead] = 5 * DEAD_COUNT
        self.sums[stage, dead] = 5 * DEAD_COUNT * chosen


class CorrectionQuantizer(ResidualQuantizer):
    """The same of corrections, of each span what is not expected."""

    def __init__(self, stages: int, size: int, bands: int, memory: float) -> None:
        super().__init__(stages, size, bands)
        self.memory = memory

    def news(self, wanted: Tensor) -> Tensor:
        """What is new in corrections [B, S, bands], were they not quantised."""
        before = torch.nn.functional.pad(wanted, (0, 0, 1, 0))[:, :-1]
        return wanted - self.memory * before

    def fade(self, _: int, before: Tensor) -> Tensor:
        """What is expected where nothing is known but the correction before."""
        return self.memory * before

    @torch.no_grad()
    def follow(
        self, wanted: Tensor, prices: Tensor, expect: Callable[[int, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Quantise corrections [B, S, bands], each span with as many codes as are worth the squared error
        that one of its bits has to save, `prices` [B, S]: the corrections, and how many codes [B, S].
        `expect` says what is expected of a span after corrections [B, bands], as `fade` does."""
        correction, corrections, counts = torch.zeros_like(wanted[:, 0]), [], []
        found: list[list[tuple[Tensor, Tensor]]] = []
        for span, (row, bit) in enumerate(zip(wanted.unbind(1), prices.unbind(1), strict=True)):
            left, codes = self._left(row - expect(span, correction))
            cost = left.square().sum(2) + bit * CODE_BITS * torch.arange(len(left)).to(bit)[:, None]
            count = cost.argmin(0)
            correction = row - left[count, torch.arange(len(row))]
            corrections.append(correction)
            counts.append(count)
            # codebooks follow what they are used for
            found.append([(x[count > n], code[count > n]) for n, (x, code) in enumerate(codes)])
        if self.training and not self.frozen:
            self._update([_joined(stage) for stage in zip(*found, strict=True)])
        return torch.stack(corrections, 1), torch.stack(counts, 1)

    def _left(self, new: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """What 0 to N codes leave [N + 1, B, bands] of what is new [B, bands]; and what each stage
        was given, with its codes [B]."""
        left, codes = [new], []
        for book in self.codebooks:
            code = nearest(left[-1], book)
            codes.append((left[-1], code))
            left.append(left[-1] - book[code])
        return torch.stack(left), codes


def _joined(parts: tuple[tuple[Tensor, Tensor], ...]) -> tuple[Tensor, Tensor]:
    """Points and their codes, of all parts."""
    points, codes = zip(*parts, strict=True)
    return torch.cat(points), torch.cat(codes)


def usage_bits(codes: Tensor, size: int) -> list[float]:
    """Entropy in bits of each stage's codes [K, M]."""
    bits = []
    for row in codes:
        share = torch.bincount(row, minlength=size).float() / row.numel()
        bits.append(float(-(share[share > 0] * share[share > 0].log2()).sum()))
    return bits
