"""Spectral contrast: peaks of a spectrum stand out more from their surroundings.

Quantisation noise is heard most in the valleys between formants. A postfilter lowers it there in
relation to the peaks, which mask it (Chen and Gersho, 1995).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nacli.adaptive_filter.sizes import HOP
from nacli.config import CODED_RATE
from nacli.types import Floats

EXPONENT = 0.15
"""Power to which the ratio of a bin's magnitude to that of its surroundings is raised."""
WIDTH = 400.0
"""Standard deviation in Hz of the weights with which the surroundings of a bin are averaged."""
LEVEL = 0.85
"""Factor of all bins, -1.4 dB: speech would become louder otherwise."""
OFFSET = 1e-7
"""Energy that is added to a bin before a logarithm is taken."""


def raise_contrast(spectra: Floats) -> None:
    """Multiply each bin of spectra [W, 2 bins], real and imaginary parts in turn, by LEVEL and by a
    power of its ratio to the geometric mean of its surroundings, in place. No bin is raised beyond
    its own level, so that tones, which stand out most, become neither louder nor clipped."""
    parts = spectra.reshape(len(spectra), -1, 2)
    levels = np.log(np.einsum("wkp,wkp->wk", parts, parts) + np.float32(OFFSET))
    gains = np.float32(LEVEL) * np.exp(levels @ exponents())
    parts *= np.minimum(gains, 1, out=gains)[:, :, None]


@cache
def exponents() -> Floats:
    """Return the matrix [bins, bins] by which log energies give the logarithms of gains."""
    bins = np.arange(HOP // 2 + 1)
    distances = (bins[:, None] - bins) * CODED_RATE / HOP
    weights = np.exp(-0.5 * np.square(distances / WIDTH))
    surroundings = weights / weights.sum(0)  # column k: weights of the bins around bin k
    matrix: Floats = (EXPONENT / 2 * (np.eye(len(bins)) - surroundings)).astype(np.float32)
    return matrix
