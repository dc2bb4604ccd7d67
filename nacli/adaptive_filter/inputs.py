"""What the network of the adaptive filter sees of W windows: columns [W, n] of its inputs."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nacli.adaptive_filter.network import AROUND
from nacli.adaptive_filter.sizes import (
    DELAY,
    ENERGY_OFFSET,
    HALF,
    LEVEL_WINDOWS,
    NEIGHBOURS,
    STEPS,
)
from nacli.networks.numpy_engine.layers import State
from nacli.types import Floats, Integers

LATE = 2 * DELAY
"""Windows that the output is late."""


def relative_levels(energies: Floats) -> Floats:
    """Return relative log energies of the bands of windows and their NEIGHBOURS.

    Args:
        energies: mean band energies [W + LEVEL_WINDOWS + NEIGHBOURS, BANDS] of the windows,
            LEVEL_WINDOWS before them and NEIGHBOURS after them.
    """
    length = LEVEL_WINDOWS + 1 + NEIGHBOURS
    mean = sliding_window_view(energies.mean(1), length).mean(1)
    levels = _around(energies[LEVEL_WINDOWS - NEIGHBOURS :]) / mean[:, None]
    return _log(levels, 1e-6)


def neighbour_features(projected: Floats, state: State) -> Floats:
    """Return the projections of the Decoder's features of NEIGHBOURS half hops before and after
    that before a window's centre, for the next projections [W, projected] of half hops."""
    joined = state.extend("projected", projected, LATE + NEIGHBOURS)
    return _around(joined[: len(projected) + 2 * NEIGHBOURS])


def correlations(spectra: Floats, shifted: Floats, energies: Floats, means: Floats) -> Floats:
    """Return the normalised correlations of shifted stretches with the window, by band, from -1
    to 1.

    Args:
        spectra, shifted: spectra [W, 2 bins] of the windows and [W, S, 2 bins] of the stretches,
            real and imaginary parts in turn.
        energies: mean band energies [W, BANDS] of the windows.
        means: weights of a sum over the parts [2 bins, BANDS] that gives the mean of a band.
    """
    products = np.square(shifted)
    norms = _sums(products, means)
    norms += np.float32(ENERGY_OFFSET)
    norms *= energies[:, None]
    np.multiply(shifted, spectra[:, None], out=products)
    found = _sums(products, means)
    found /= np.sqrt(norms, out=norms)
    return found.reshape(len(found), -1)


def _sums(products: Floats, means: Floats) -> Floats:
    """Return the products [W, S, BANDS] of [W, S, 2 bins] with `means`, as one matrix product."""
    flat = products.reshape(-1, products.shape[-1]) @ means
    return flat.reshape(*products.shape[:2], -1)


def course(pcm: Floats) -> Floats:
    """Return relative log energies over time of the four half hops around a window's centre, for
    samples [(W + 3) * HALF] from the half hop before the first window on."""
    steps = np.square(pcm).reshape(-1, HALF // STEPS).mean(1) + np.float32(ENERGY_OFFSET)
    energies = sliding_window_view(steps, 4 * STEPS)[::STEPS]
    return _log(energies / energies.mean(1, keepdims=True), 1e-5)


def counts_and_periods(
    counts: Integers, lags: Floats, strengths: Floats, state: State
) -> list[Floats]:
    """Return the columns of stage counts [F] of hops, which are delayed here, and of the lags and
    strengths [W, 2] of windows."""
    doubled = counts.repeat(2)[:, None].astype(np.float32) / np.float32(8)
    delayed = state.extend("counts", doubled, LATE)[: len(lags)]
    periods = np.log2(np.abs(lags) + 1) / 4 - np.float32(1.5)
    return [delayed, periods, strengths]


def _around(rows: Floats) -> Floats:
    """Join AROUND successive rows [n] of [W + AROUND - 1, n]: [W, AROUND * n]."""
    size = rows.shape[1]
    return sliding_window_view(np.ascontiguousarray(rows).ravel(), AROUND * size)[::size]


def _log(ratios: Floats, least: float) -> Floats:
    """Return the scaled logarithms of ratios, which are raised to `least`, in place."""
    np.maximum(ratios, np.float32(least), out=ratios)
    np.log(ratios, out=ratios)
    ratios /= 4
    return ratios
