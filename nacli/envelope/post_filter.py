"""The post-filter: gains of decoded bands, from coded corrections and from a small network.

The Decoder network is causal, so each decoded frame knows little of the next one. The post-filter's
network sees the band energies of decoded sound, including the 20 ms that follow, and gives each
band a gain (as Valin, 2018, does against noise). This takes no bits; corrections do, see
`nacli/envelope/corrections.py`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.filterbank import BANDS, ENERGY_OFFSET, Spectra, bark_spectra, relative_levels
from nacli.envelope.mlp import Mlp
from nacli.timing import POST_FILTER_CONTEXT, POST_FILTER_DELAY
from nacli.types import Floats, Integers

BEFORE, AFTER = 9, 3
"""Spectra, half a hop apart, before and after a spectrum on which its gains depend."""
INSIDE = slice(BEFORE, -AFTER)
"""The spectra of a block for which all the spectra before and after are known."""
LEAST, MOST = -2.0, 1.5
"""Limits of gains, in natural logarithms of amplitudes."""
STAGES_SCALE = 8
"""Stage counts are divided by this for the network."""


class GainNetwork:
    """The network: a perceptron of three layers from band levels and stage counts to gains."""

    LAYERS = ("first", "second", "last")

    def __init__(self, tensors: dict[str, NDArray[np.float16]]) -> None:
        """Take `<layer>.weight` [in, out] and `<layer>.bias` [out]. Raises `KeyError` and
        `ValueError` where tensors are missing or do not fit each other."""
        inputs = (BEFORE + 1 + AFTER) * BANDS + 1
        self._mlp = Mlp(tensors, self.LAYERS, inputs, BANDS)

    def __call__(self, levels: Floats, counts: Integers) -> Floats:
        """Return gains [n, BANDS], in natural logarithms of amplitudes, for the `neighbour_levels`
        [n, ...] and stage counts [n] of spectra."""
        return self._mlp(with_counts(levels, counts)).clip(LEAST, MOST)


def per_spectrum(values: NDArray[Any]) -> NDArray[Any]:
    """Repeat the values [F, ...] of hops for their spectra [2 F - 1, ...].

    A spectrum is centred where two halves of hops meet, and has the value of the second half's hop.
    """
    return values.repeat(2, axis=0)[1:]


def neighbour_levels(energies: Floats, corrections: Floats) -> Floats:
    """Return the band levels on which the gains of each spectrum depend
    [n - BEFORE - AFTER, (BEFORE + 1 + AFTER) * BANDS], for spectra with these energies and
    corrections [n, BANDS]."""
    levels = np.log(energies + ENERGY_OFFSET) + 2 * corrections
    around = np.lib.stride_tricks.sliding_window_view(levels, BEFORE + 1 + AFTER, axis=0)
    return relative_levels(around.reshape(len(around), -1))


def with_counts(levels: Floats, counts: Integers) -> Floats:
    """Join levels [n, ...] and stage counts [n] to the inputs of the network."""
    scaled = counts[:, None].astype(np.float32) / STAGES_SCALE
    return np.concatenate([levels, scaled], axis=1)


SMOOTHING = 8
"""Weight of a spectrum's own corrections; those of its two neighbours have weight 1."""


def smooth(corrections: Floats) -> Floats:
    """Smooth the corrections [n, BANDS] of spectra so that they do not step from hop to hop;
    returns those INSIDE."""
    inside = len(corrections) - BEFORE - AFTER
    before, own, after = (corrections[BEFORE + k : BEFORE + k + inside] for k in (-1, 0, 1))
    return ((before + SMOOTHING * own + after) / (SMOOTHING + 2)).astype(np.float32)


class PostFilter:
    """The post-filter of one stream at the coded rate. Its output is delayed by `DELAY` hops."""

    DELAY = POST_FILTER_DELAY
    REACH = DELAY + POST_FILTER_CONTEXT
    """Past hops that are kept: the delay, and the context before a hop."""

    def __init__(
        self, network: GainNetwork | None, channels: int, hop: int, sample_rate: int
    ) -> None:
        """Without a network, only corrections are applied."""
        self._network, self._hop, self._rate = network, hop, sample_rate
        self._past: Floats = np.zeros((channels, self.REACH * hop), dtype=np.float32)
        self._counts: Integers = np.zeros((channels, self.REACH), dtype=np.int32)
        self._corrections: Floats = np.zeros((channels, self.REACH, BANDS), dtype=np.float32)

    def process(self, pcm: Floats, counts: Integers, corrections: Floats) -> Floats:
        """Filter samples [C, F * hop] whose hops have these stage counts [C, F] and corrections
        [C, F, BANDS]; return as many samples, DELAY hops later."""
        joined = np.concatenate([self._past, pcm], axis=1)
        stages = np.concatenate([self._counts, counts], axis=1)
        changes = np.concatenate([self._corrections, corrections], axis=1)
        self._past, self._counts = joined[:, -self._past.shape[1] :], stages[:, -self.REACH :]
        self._corrections = changes[:, -self.REACH :]
        rows = zip(joined, stages, changes, strict=True)
        return np.stack([self._filter(*row) for row in rows])

    def _filter(self, pcm: Floats, counts: Integers, corrections: Floats) -> Floats:
        inside = slice((self.REACH - self.DELAY) * self._hop, -self.DELAY * self._hop)
        if not pcm.any() or (self._network is None and not corrections.any()):
            return pcm[inside]  # fast: a gap may be an hour of silence
        spectra, corrections = self._spectra.analyze(pcm), per_spectrum(corrections)
        gains = smooth(corrections)
        if self._network is not None:
            levels = neighbour_levels(self._spectra.energies(spectra), corrections)
            gains = gains + self._network(levels, per_spectrum(counts)[INSIDE])
        return self._spectra.synthesize(
            spectra[INSIDE] * (np.exp(gains) @ self._spectra.band_weights)
        )

    @cached_property
    def _spectra(self) -> Spectra:
        return bark_spectra(self._hop, self._rate)
