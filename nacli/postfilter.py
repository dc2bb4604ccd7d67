"""Levels of bands, corrected by what comes before and after.

The Decoder network is causal: what it makes of a frame does not know the next. A small network
looks at the levels of bands in decoded sound, also of the 20 ms that follow, and gives each band a
gain (as Valin, 2018, does against noise). That costs no bits.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]
Integers = NDArray[np.int32]

BANDS = 26
BEFORE, AFTER = 9, 3
"""Spectra, half a hop apart, that a gain depends on beside its own."""
INSIDE = slice(BEFORE, -AFTER)
"""Of spectra: those for which all that they depend on is there."""
FLOOR = -12.0
"""Of levels, in natural logarithms of energies under the highest that is seen."""
LEAST, MOST = -2.0, 1.5
"""Of gains, in natural logarithms of amplitudes."""
_SILENCE = 1e-9


class Spectra:
    """Short spectra of sound and back: windows of a hop, half a hop apart."""

    def __init__(self, hop: int, sample_rate: int) -> None:
        self.hop = hop
        self._window = np.sin(np.pi * (np.arange(hop) + 0.5) / hop).astype(np.float32)
        frequencies = np.arange(hop // 2 + 1) * sample_rate / hop
        bark = 26.81 * frequencies / (1960 + frequencies)  # Traunmüller, 1990, but for a constant
        place = bark / bark[-1] * (BANDS - 1)
        self.spread: Floats = np.maximum(0, 1 - np.abs(place - np.arange(BANDS)[:, None]))
        self.spread = self.spread.astype(np.float32)
        """Of bands over bins [BANDS, bins]; each bin lies between two bands."""
        self._means = (self.spread / self.spread.sum(1, keepdims=True)).T

    def of(self, pcm: Floats) -> Complex:
        """Spectra [2 F - 1, bins] of samples [F * hop]."""
        halves = pcm.reshape(-1, self.hop // 2)
        blocks = np.concatenate([halves[:-1], halves[1:]], axis=1)
        return np.fft.rfft(blocks * self._window).astype(np.complex64)

    def sound(self, spectra: Complex) -> Floats:
        """Samples [F * hop] between the first and the last half of spectra [2 F + 1, bins]."""
        blocks = np.fft.irfft(spectra, self.hop).astype(np.float32) * self._window
        first, second = blocks.reshape(len(blocks), 2, -1).swapaxes(0, 1)
        return (second[:-1] + first[1:]).ravel()

    def seen(self, spectra: Complex) -> Floats:
        """Levels of all bands that each gain depends on [n - BEFORE - AFTER, width * BANDS], for
        spectra [n, bins]; loud and quiet sound look alike."""
        power = np.square(spectra.real) + np.square(spectra.imag)
        levels = np.log(power @ self._means + _SILENCE)
        around = np.lib.stride_tricks.sliding_window_view(levels, BEFORE + 1 + AFTER, axis=0)
        flat = around.reshape(len(around), -1)
        return np.maximum(flat - flat.max(1, keepdims=True), FLOOR).astype(np.float32) / 4


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

    def __call__(self, seen: Floats, counts: Integers) -> Floats:
        """Gains [n, BANDS] in natural logarithms, for what is seen [n, ...] and stages [n]."""
        x = with_counts(seen, counts)
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            x = np.maximum(x @ weight + bias, 0)
        return (x @ self._weights[-1] + self._biases[-1]).clip(LEAST, MOST)


def of_spectra(counts: Integers) -> Integers:
    """The stages [F] of hops as those of the spectra INSIDE: each is centred where two halves of
    hops meet, and has those of the second."""
    return counts.repeat(2)[1:][INSIDE]


def with_counts(seen: Floats, counts: Integers) -> Floats:
    """The inputs of the network."""
    return np.concatenate([seen, counts[:, None].astype(np.float32) / 8], axis=1)


class PostFilter:
    """The filter of one stream at the model's rate; what it gives is `DELAY` hops late."""

    DELAY = (AFTER + 1) // 2
    REACH = DELAY + (BEFORE + 1) // 2
    """Hops before one that it has to know."""

    def __init__(self, gains: Gains | None, channels: int, hop: int, sample_rate: int) -> None:
        """Without gains it only delays."""
        self._gains, self._hop, self._rate = gains, hop, sample_rate
        self._past: Floats = np.zeros((channels, self.REACH * hop), dtype=np.float32)
        self._counts: Integers = np.zeros((channels, self.REACH), dtype=np.int32)

    def process(self, pcm: Floats, counts: Integers) -> Floats:
        """Samples [C, F * hop] and stages [C, F] of their hops to as many samples, DELAY hops
        late."""
        joined = np.concatenate([self._past, pcm], axis=1)
        stages = np.concatenate([self._counts, counts], axis=1)
        self._past, self._counts = joined[:, -self._past.shape[1] :], stages[:, -self.REACH :]
        return np.stack([self._filter(*row) for row in zip(joined, stages, strict=True)])

    def _filter(self, pcm: Floats, counts: Integers) -> Floats:
        inside = slice((self.REACH - self.DELAY) * self._hop, -self.DELAY * self._hop)
        if self._gains is None or not pcm.any():  # a gap may be an hour of it
            return pcm[inside]
        spectra = self._spectra.of(pcm)
        wanted = self._gains(self._spectra.seen(spectra), of_spectra(counts))
        return self._spectra.sound(spectra[INSIDE] * (np.exp(wanted) @ self._spectra.spread))

    @cached_property
    def _spectra(self) -> Spectra:
        return Spectra(self._hop, self._rate)
