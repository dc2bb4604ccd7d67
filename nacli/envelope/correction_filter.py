"""The correction filter: envelope corrections take effect on the spectra of decoded sound.

`nacli/envelope/corrections.py` says why band energies are corrected, and decodes the corrections.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.filterbank import BANDS, Spectra, bark_spectra
from nacli.timing import CORRECTION_FILTER_CONTEXT, CORRECTION_FILTER_DELAY
from nacli.types import Floats

SMOOTHING = 8
"""Weight of a spectrum's own corrections; those of its two neighbours have weight 1."""


def per_spectrum(values: NDArray[Any]) -> NDArray[Any]:
    """Repeat the values [F, ...] of hops for their spectra [2 F - 1, ...].

    A spectrum is centred where two halves of hops meet, and has the value of the second half's hop.
    """
    return values.repeat(2, axis=0)[1:]


def smooth(corrections: Floats) -> Floats:
    """Smooth the corrections [n, BANDS] of spectra so that they do not step from hop to hop;
    returns those [n - 2, BANDS] of the spectra that have two neighbours."""
    before, own, after = corrections[:-2], corrections[1:-1], corrections[2:]
    return ((before + SMOOTHING * own + after) / (SMOOTHING + 2)).astype(np.float32)


class CorrectionFilter:
    """The correction filter of one stream at the coded rate. Its output is delayed by `DELAY`
    hops."""

    DELAY = CORRECTION_FILTER_DELAY
    REACH = DELAY + CORRECTION_FILTER_CONTEXT
    """Past hops that are kept: the delay, and the context before a hop."""

    def __init__(self, channels: int, hop: int, sample_rate: int) -> None:
        self._hop, self._rate = hop, sample_rate
        self._past: Floats = np.zeros((channels, self.REACH * hop), dtype=np.float32)
        self._corrections: Floats = np.zeros((channels, self.REACH, BANDS), dtype=np.float32)

    def process(self, pcm: Floats, corrections: Floats) -> Floats:
        """Filter samples [C, F * hop] whose hops have these corrections [C, F, BANDS]; return as
        many samples, DELAY hops later."""
        joined = np.concatenate([self._past, pcm], axis=1)
        changes = np.concatenate([self._corrections, corrections], axis=1)
        self._past, self._corrections = joined[:, pcm.shape[1] :], changes[:, -self.REACH :]
        return np.stack([self._filter(*row) for row in zip(joined, changes, strict=True)])

    def _filter(self, pcm: Floats, corrections: Floats) -> Floats:
        if not pcm.any() or not corrections.any():  # fast: a gap may be an hour of silence
            return pcm[self._hop : -self._hop]
        spectra = self._spectra.analyze(pcm)[1:-1]
        gains = np.exp(smooth(per_spectrum(corrections)))
        return self._spectra.synthesize(spectra * (gains @ self._spectra.band_weights))

    @cached_property
    def _spectra(self) -> Spectra:
        return bark_spectra(self._hop, self._rate)
