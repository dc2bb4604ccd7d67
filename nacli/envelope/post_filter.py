"""Levels of bands, corrected by corrections, and by what comes before and after.

The Decoder network is causal: what it makes of a frame knows little of the next. A small network
looks at the levels of bands in decoded sound, also of the 20 ms that follow, and gives each band a
gain (as Valin, 2018, does against noise). That costs no bits; corrections do, see `nacli/dsp/filterbank.py`.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.filterbank import BANDS, NOTHING, Spectra, against_highest, bark_spectra
from nacli.timing import POST_FILTER_CONTEXT, POST_FILTER_DELAY
from nacli.types import Floats, Integers

BEFORE, AFTER = 9, 3
"""Spectra, half a hop apart, that a gain depends on beside its own."""
INSIDE = slice(BEFORE, -AFTER)
"""Of spectra: those for which all that they depend on is there."""
LEAST, MOST = -2.0, 1.5
"""Of gains, in natural logarithms of amplitudes."""


class Gains:
    """The network: three layers, from what is seen and the number of stages to gains of bands."""

    LAYERS = ("first", "second", "last")

    def __init__(self, tensors: dict[str, NDArray[np.float16]]) -> None:
        """`<layer>.weight` [in, out] and `<layer>.bias` [out]. Raises `KeyError` and `ValueError`
        where they are no such network."""
        self._weights = [tensors[f"{name}.weight"].astype(np.float32) for name in self.LAYERS]
        self._biases = [tensors[f"{name}.bias"].astype(np.float32) for name in self.LAYERS]
        sizes = [(BEFORE + 1 + AFTER) * BANDS + 1, *(len(bias) for bias in self._biases)]
        shapes = list(pairwise(sizes))
        if [weight.shape for weight in self._weights] != shapes or sizes[-1] != BANDS:
            raise ValueError("the post-filter has layers that do not fit each other")

    def __call__(self, levels: Floats, counts: Integers) -> Floats:
        """Gains [n, BANDS] in natural logarithms, for what is seen [n, ...] and stages [n]."""
        x = with_counts(levels, counts)
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            x = np.maximum(x @ weight + bias, 0)
        return (x @ self._weights[-1] + self._biases[-1]).clip(LEAST, MOST)


def of_spectra(values: NDArray[Any]) -> NDArray[Any]:
    """What hops have [F, ...] as what their spectra have [2 F - 1, ...]: each is centred where two
    halves of hops meet, and has what the second has."""
    return values.repeat(2, axis=0)[1:]


def seen(energies: Floats, corrections: Floats) -> Floats:
    """What each gain depends on [n - BEFORE - AFTER, width * BANDS], for spectra with these
    energies and corrections [n, BANDS]: levels of all bands."""
    levels = np.log(energies + NOTHING) + 2 * corrections
    around = np.lib.stride_tricks.sliding_window_view(levels, BEFORE + 1 + AFTER, axis=0)
    return against_highest(around.reshape(len(around), -1))


def with_counts(levels: Floats, counts: Integers) -> Floats:
    """The inputs of the network."""
    return np.concatenate([levels, counts[:, None].astype(np.float32) / 8], axis=1)


SMOOTHING = 8
"""Weight of a spectrum's own corrections; those of the spectra before and after it have weight 1."""


def smooth(corrections: Floats) -> Floats:
    """Corrections of spectra [n, BANDS] without steps from hop to hop; those INSIDE."""
    inside = len(corrections) - BEFORE - AFTER
    before, own, after = (corrections[BEFORE + k : BEFORE + k + inside] for k in (-1, 0, 1))
    return ((before + SMOOTHING * own + after) / (SMOOTHING + 2)).astype(np.float32)


class PostFilter:
    """The filter of one stream at the model's rate; what it gives is `DELAY` hops late."""

    DELAY = POST_FILTER_DELAY
    REACH = DELAY + POST_FILTER_CONTEXT
    """Hops before one that it has to know."""

    def __init__(self, gains: Gains | None, channels: int, hop: int, sample_rate: int) -> None:
        """Without gains there are only corrections."""
        self._gains, self._hop, self._rate = gains, hop, sample_rate
        self._past: Floats = np.zeros((channels, self.REACH * hop), dtype=np.float32)
        self._counts: Integers = np.zeros((channels, self.REACH), dtype=np.int32)
        self._corrections: Floats = np.zeros((channels, self.REACH, BANDS), dtype=np.float32)

    def process(self, pcm: Floats, counts: Integers, corrections: Floats) -> Floats:
        """Samples [C, F * hop], and stages [C, F] and corrections [C, F, BANDS] of their hops, to as many
        samples, DELAY hops late."""
        joined = np.concatenate([self._past, pcm], axis=1)
        stages = np.concatenate([self._counts, counts], axis=1)
        changes = np.concatenate([self._corrections, corrections], axis=1)
        self._past, self._counts = joined[:, -self._past.shape[1] :], stages[:, -self.REACH :]
        self._corrections = changes[:, -self.REACH :]
        rows = zip(joined, stages, changes, strict=True)
        return np.stack([self._filter(*row) for row in rows])

    def _filter(self, pcm: Floats, counts: Integers, corrections: Floats) -> Floats:
        inside = slice((self.REACH - self.DELAY) * self._hop, -self.DELAY * self._hop)
        if not pcm.any() or (self._gains is None and not corrections.any()):
            return pcm[inside]  # a gap may be an hour of it
        spectra, corrections = self._spectra.of(pcm), of_spectra(corrections)
        wanted = smooth(corrections)
        if self._gains is not None:
            levels = seen(self._spectra.energies(spectra), corrections)
            wanted = wanted + self._gains(levels, of_spectra(counts)[INSIDE])
        return self._spectra.sound(spectra[INSIDE] * (np.exp(wanted) @ self._spectra.spread))

    @cached_property
    def _spectra(self) -> Spectra:
        return bark_spectra(self._hop, self._rate)
