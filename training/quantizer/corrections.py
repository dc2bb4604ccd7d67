"""Quantiser of envelope corrections: predicted from span to span, with a rate-distortion choice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from training.quantizer.kmeans import nearest
from training.quantizer.residual import Assignment, ResidualQuantizer

CODE_BITS = 10.0
"""Bits of one correction code, with its share of the bits for the number of codes."""

Predict = Callable[[int, Tensor], Tensor]
"""Returns the corrections [B, bands] predicted for a span, from its number and the corrections of
the span before."""


class CorrectionQuantizer(ResidualQuantizer):
    """Quantises the residuals of predicted corrections."""

    def __init__(self, stages: int, size: int, bands: int, memory: float) -> None:
        super().__init__(stages, size, bands)
        self.memory = memory

    def prediction_residuals(self, corrections: Tensor) -> Tensor:
        """Return what the decayed correction before leaves of each correction [B, S, bands], as if
        corrections were not quantised."""
        before = torch.nn.functional.pad(corrections, (0, 0, 1, 0))[:, :-1]
        return corrections - self.memory * before

    def decayed(self, _: int, before: Tensor) -> Tensor:
        """Predict a part of the correction before, as `DecayPredictor` does."""
        return self.memory * before

    @torch.no_grad()
    def quantize(self, targets: Tensor, lambdas: Tensor, predict: Predict) -> tuple[Tensor, Tensor]:
        """Quantise corrections; each span takes the number of codes with the least squared error
        plus lambda times bits.

        Args:
            targets: corrections [B, S, bands].
            lambdas: rate-distortion weights [B, S], in squared error per bit.
            predict: see `Predict`.

        Returns:
            The quantised corrections [B, S, bands] and the number of codes of each span [B, S].
        """
        correction, corrections, counts = torch.zeros_like(targets[:, 0]), [], []
        assignments: list[list[Assignment]] = []
        for span, (target, weight) in enumerate(
            zip(targets.unbind(1), lambdas.unbind(1), strict=True)
        ):
            residuals, codes = self._residuals(target - predict(span, correction))
            numbers = torch.arange(len(residuals)).to(weight)[:, None]
            count = (residuals.square().sum(2) + weight * CODE_BITS * numbers).argmin(0)
            correction = target - residuals[count, torch.arange(len(target))]
            corrections.append(correction)
            counts.append(count)
            # codebooks follow only the residuals that their codes are used for
            assignments.append(
                [
                    Assignment(x, code, (count > stage).to(x))
                    for stage, (x, code) in enumerate(codes)
                ]
            )
        if self.learns:
            self.update([_joined(stage) for stage in zip(*assignments, strict=True)])
        return torch.stack(corrections, 1), torch.stack(counts, 1)

    def _residuals(self, new: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the residuals [N + 1, B, bands] after 0 to N codes of prediction residuals
        [B, bands], and what each stage was given, with its codes [B]."""
        residuals, codes = [new], []
        for codebook in self.codebooks:
            code = nearest(residuals[-1], codebook)
            codes.append((residuals[-1], code))
            residuals.append(residuals[-1] - codebook[code])
        return torch.stack(residuals), codes


def _joined(parts: tuple[Assignment, ...]) -> Assignment:
    """Concatenate the assignments of all spans."""
    return Assignment(*(torch.cat(column) for column in zip(*parts, strict=True)))
