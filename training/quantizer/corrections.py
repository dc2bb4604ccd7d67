"""Quantiser of envelope corrections: predicted from span to span, with a rate-distortion choice."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from training.quantizer.kmeans import nearest
from training.quantizer.residual import Assignment, ResidualQuantizer

CODE_BITS = 10.0
"""Bits of one correction code, with its share of the bits for the number of codes."""


class Prediction(NamedTuple):
    """The mean [bands] and coefficients [bands, bands] of a linear prediction, as
    `nacli.envelope.predictor.SpanPredictor` has them."""

    mean: Tensor
    weights: Tensor

    def predict(self, before: Tensor) -> Tensor:
        """Return the corrections [..., bands] that are predicted after those before."""
        return self.mean + (before - self.mean) @ self.weights

    def shifted(self, corrections: Tensor) -> Tensor:
        """Return what the corrections [..., S, bands] of spans are predicted from: those of the
        spans before, and the mean for the first span."""
        first = self.mean.expand_as(corrections[..., :1, :])
        return torch.cat([first, corrections[..., :-1, :]], -2)


class CorrectionQuantizer(ResidualQuantizer):
    """Quantises the residuals of predicted corrections."""

    @torch.no_grad()
    def quantize(
        self, targets: Tensor, lambdas: Tensor, prediction: Prediction
    ) -> tuple[Tensor, Tensor]:
        """Quantise corrections; each span takes the number of codes with the least squared error
        plus lambda times bits.

        Args:
            targets: corrections [B, S, bands].
            lambdas: rate-distortion weights [B, S], in squared error per bit.
            prediction: that of spans of this length.

        Returns:
            The quantised corrections [B, S, bands] and the number of codes of each span [B, S].
        """
        correction, corrections, counts = prediction.mean.expand_as(targets[:, 0]), [], []
        assignments: list[list[Assignment]] = []
        for target, weight in zip(targets.unbind(1), lambdas.unbind(1), strict=True):
            residuals, codes = self._residuals(target - prediction.predict(correction))
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
