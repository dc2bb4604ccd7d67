"""The adaptive filter on the windows of one channel.

Decoded sound is cut into windows of one hop, half a hop apart. With each window come the stretches
that lie one or more periods before and after it. The spectra of all of them are weighted by the
network's gains per band and added, and the sum gets more contrast. Spectra are stored as float32,
real and imaginary parts in turn.

Docstrings state shapes with F hops and W = 2 F windows.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nacli.adaptive_filter.contrast import raise_contrast
from nacli.adaptive_filter.inputs import (
    LATE,
    correlations,
    counts_and_periods,
    course,
    neighbour_features,
    relative_levels,
)
from nacli.adaptive_filter.network import FilterNetwork
from nacli.adaptive_filter.sizes import (
    AFTER,
    DELAY,
    ENERGY_OFFSET,
    HALF,
    HOP,
    LEVEL_WINDOWS,
    MOST_BEFORE,
    NEIGHBOURS,
    REACH,
)
from nacli.config import CODED_RATE
from nacli.dsp.filterbank import Spectra, bark_spectra
from nacli.dsp.periods import MARGIN, MAX_PERIOD, periods_at
from nacli.networks.numpy_engine.layers import State
from nacli.types import Floats, Indices, Integers

START = (REACH - DELAY) * HOP
"""Place of the first window in samples that begin with their past REACH hops."""
LAG_WINDOWS = MOST_BEFORE * MAX_PERIOD // HALF
"""Windows before one whose lags it may use."""


def filter_windows(
    network: FilterNetwork, pcm: Floats, features: Floats, counts: Integers, state: State
) -> Floats:
    """Filter the next samples [F * HOP], with the Decoder's features [F, features] and stage
    counts [F]; return as many samples, DELAY hops later."""
    joined = state.extend("pcm", pcm, REACH * HOP)
    lags, strengths = _measure_periods(joined, state)
    windows = len(lags)
    recent, energies = _next_spectra(joined, state)
    own = recent[:windows]
    own_energies = energies[LEVEL_WINDOWS:][:windows].clip(ENERGY_OFFSET)  # before the start: 0
    shifted = _shifted_spectra(joined, _offsets(network.before, lags, state))
    columns = [
        relative_levels(energies),
        neighbour_features(network.project(features), state),
        correlations(own, shifted, own_energies, _band_means()),
        course(joined[START - HALF :][: (windows + 3) * HALF]),
        *counts_and_periods(counts, lags, strengths, state),
    ]
    gains = network.gains(np.concatenate(columns, axis=1), state)
    return _synthesize(gains, own, shifted, state)


def _measure_periods(joined: Floats, state: State) -> tuple[Floats, Floats]:
    """Return lags and strengths [W, 2] at the centres of windows, for samples with their past. As
    in training, they are zero at and before the start of the stream."""
    late = START + HALF - MARGIN
    windows = len(joined) // HALF - 2 * REACH
    end = late + (windows - 1) * HALF + 2 * MARGIN
    lags, strengths = periods_at(joined[late:end], HALF)
    inside = state.extend("inside", np.ones((windows, 1), dtype=np.float32), LATE)[:windows]
    return lags.astype(np.float32) * inside, strengths.astype(np.float32) * inside


def _next_spectra(joined: Floats, state: State) -> tuple[Floats, Floats]:
    """Return the spectra [NEIGHBOURS + W, 2 bins] and mean band energies [n + W, BANDS] of windows
    NEIGHBOURS after those that are filtered, preceded by those before them."""
    first = START + NEIGHBOURS * HALF
    windows = sliding_window_view(joined, HOP)[first::HALF][: len(joined) // HALF - 2 * REACH]
    spectra = _transform(windows)
    energies = np.square(spectra) @ _band_means() + np.float32(ENERGY_OFFSET)
    past = LEVEL_WINDOWS + NEIGHBOURS
    recent = state.extend("spectra", spectra, NEIGHBOURS)
    return recent, state.extend("energies", energies, past)


def _offsets(before: int, lags: Floats, state: State) -> Indices:
    """Return the offsets [W, before + AFTER] in samples of a window's stretches, for lags [W, 2].

    Those before a window go from period to period, each with the lag where it starts; those after
    it are multiples of one lag.
    """
    joined = state.extend("lags", lags[:, :1], LAG_WINDOWS)[:, 0]
    windows = np.arange(LAG_WINDOWS, len(joined))
    offset, offsets = np.zeros(len(lags), dtype=np.float32), []
    for number in range(1, before + 1):
        offset = offset + joined[windows + np.rint(offset / HALF).astype(np.intp)]
        offsets.append(offset)
        if number <= AFTER:
            offsets.append(number * lags[:, 1])
    return np.stack(offsets, axis=1).astype(np.intp)


def _shifted_spectra(joined: Floats, offsets: Indices) -> Floats:
    """Return the spectra [W, S, 2 bins] of stretches with offsets [W, S] from the windows."""
    starts = START + HALF * np.arange(len(offsets))
    return _transform(sliding_window_view(joined, HOP)[starts[:, None] + offsets])


def _transform(stretches: Floats) -> Floats:
    """Return the spectra [..., 2 bins] of stretches [..., HOP], which are windowed here."""
    spectra = np.fft.rfft(stretches * _spectra().window)
    return spectra.astype(np.complex64, copy=False).view(np.float32)


def _synthesize(gains: Floats, own: Floats, shifted: Floats, state: State) -> Floats:
    """Return the samples [F * HOP] of windows with these gains [W, 1 + S, BANDS] of their own
    spectra [W, 2 bins] and those of their shifted stretches [W, S, 2 bins]."""
    count, stretches, bands = gains.shape
    weights = (gains.reshape(-1, bands) @ _band_weights()).reshape(count, stretches, -1)
    spectra = np.einsum("wsb,wsb->wb", weights[:, 1:], shifted)
    spectra += np.multiply(weights[:, 0], own, out=weights[:, 0])
    raise_contrast(spectra)
    blocks = np.fft.irfft(spectra.view(np.complex64), HOP).astype(np.float32, copy=False)
    blocks *= _spectra().window
    before = state.extend("overlap", blocks[:, HALF:], 1)[:-1]
    return (before + blocks[:, :HALF]).ravel()


@cache
def _spectra() -> Spectra:
    return bark_spectra(HOP, CODED_RATE)


@cache
def _band_means() -> Floats:
    """Return the weights [2 bins, BANDS] of the parts of spectra in the means of bands."""
    return _spectra().means.repeat(2, axis=0)


@cache
def _band_weights() -> Floats:
    """Return the weights [BANDS, 2 bins] of the gains of bands in those of parts of spectra."""
    return _spectra().band_weights.repeat(2, axis=1)
