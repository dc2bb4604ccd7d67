"""Linear prediction of the envelope correction of a span from the correction of the span before."""

from __future__ import annotations

import numpy as np

from nacli.dsp.filterbank import BANDS
from nacli.types import Floats

LARGEST = 1e3
"""Limit of means and coefficients, far above what is trained: products of limited corrections stay
finite."""


class SpanPredictor:
    """Predicts the corrections of spans of one length."""

    def __init__(self, mean: Floats, weights: Floats) -> None:
        """Take the mean correction [BANDS] and the prediction coefficients [BANDS, BANDS], from the
        bands before to those predicted. They apply to what corrections differ from the mean by."""
        self.mean = mean
        """Stands for the correction before the first span of a packet, which is unknown."""
        self._weights, self._constant = weights, mean - mean @ weights

    def __call__(self, before: Floats) -> Floats:
        """Return the predictions [..., BANDS] after the corrections [..., BANDS]."""
        predicted = before @ self._weights
        predicted += self._constant
        return predicted


class CorrectionPredictor:
    """Predicts the corrections of a model, whose spans have one frame or several."""

    def __init__(self, means: Floats, weights: Floats) -> None:
        """Take the means [2, BANDS] and coefficients [2, BANDS, BANDS] of spans of one frame and of
        longer ones. Raises `ValueError` where they have other shapes or are out of range."""
        if means.shape != (2, BANDS) or weights.shape != (2, BANDS, BANDS):
            raise ValueError("the prediction of corrections has the wrong shape")
        means, weights = means.astype(np.float32), weights.astype(np.float32)
        if not np.abs(weights).max() < LARGEST or not np.abs(means).max() < LARGEST:
            raise ValueError("the prediction of corrections is out of range")
        self._rows = [SpanPredictor(*row) for row in zip(means, weights, strict=True)]

    @classmethod
    def none(cls) -> CorrectionPredictor:
        """Return the predictor of a model without corrections."""
        return cls(
            np.zeros((2, BANDS), dtype=np.float32), np.zeros((2, BANDS, BANDS), dtype=np.float32)
        )

    @staticmethod
    def row(span: int) -> int:
        """Return the row of means and coefficients for spans of `span` frames."""
        return int(span > 1)

    def of(self, span: int) -> SpanPredictor:
        """Return the prediction for spans of `span` frames."""
        return self._rows[self.row(span)]
