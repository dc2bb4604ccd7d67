"""Pictures for the report, each as a `data:` URI. Only this module uses matplotlib."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nacli.bench import metrics


class Point(NamedTuple):
    """The mean of a metric at a real bitrate, and its confidence interval."""

    kbps: float
    value: float
    low: float
    high: float


COLOURS = ("#0b6e4f", "#c8553d", "#3d5a98", "#b58900", "#7b4b94", "#4a4a4a", "#2aa198")
"""Colours of the codecs; the first is that of nacli."""
LOWEST_DB, HIGHEST_DB = -100.0, -20.0
"""Range of the spectrograms in dB relative to a full-scale sine."""
DIFFERENCE_DB = 30.0
"""Largest difference of spectrograms, in dB, that the colours distinguish."""
SHEET_DB = 90.0
"""Range of the spectrograms of a sheet, in dB below the highest level."""
DIFFERENCE_FLOOR_DB = -90.0
"""Lower levels are raised to this one before spectrograms are compared."""
WIDTH, HEIGHT = 4.6, 2.0
"""Size of a picture in inches, so that it is readable on a phone."""


def data_uri(data: bytes, kind: str) -> str:
    """Return data as a URI; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _new(height: float = HEIGHT) -> Figure:
    return Figure(figsize=(WIDTH, height), dpi=150, layout="constrained")


def _finished(figure: Figure, kind: str) -> str:
    """Return a figure as WebP (for images) or as SVG (for lines)."""
    out = io.BytesIO()
    if kind == "svg":
        figure.savefig(out, format="svg", metadata={"Date": None})
        return data_uri(out.getvalue(), "image/svg+xml")
    figure.savefig(out, format="webp", pil_kwargs={"quality": 80})
    return data_uri(out.getvalue(), "image/webp")


def curves(lines: dict[str, list[Point]], label: str, colours: dict[str, str]) -> str:
    """Return a chart with a line for each codec, and bars for the confidence intervals."""
    figure = _new(2.9)
    axes = figure.add_subplot()
    for name, points in lines.items():
        kbps, values, low, high = np.array(sorted(points)).T
        bars = (np.maximum(values - low, 0), np.maximum(high - values, 0))
        line = axes.errorbar(kbps, values, bars, fmt="o-", label=name, color=colours[name])
        line.lines[0].set_markersize(4)
    axes.set_xscale("log")
    _kbps_ticks(axes, [point.kbps for points in lines.values() for point in points])
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)
    return _finished(figure, "svg")


def _kbps_ticks(axes: Axes, rates: Sequence[float]) -> None:
    low, high = min(rates) / 1.15, max(rates) * 1.15
    usual = [tick for tick in (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if low < tick < high]
    axes.set_xlim(low, high)
    axes.set_xticks(usual, [f"{tick:g}" for tick in usual])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("kbps, container included")


def decibels(pcm: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return the levels [bins, frames] in dB of mono samples, with windows of about 32 ms."""
    size = 1 << round(np.log2(rate * 0.032))
    return 20 * np.log10(metrics.spectrogram(pcm, size).T * 2 + 1e-9)


def spectrogram(levels: NDArray[np.float64], rate: int, seconds: float) -> str:
    """Return a spectrogram of levels [bins, frames]."""
    return _over_time(levels, rate, seconds, "magma", LOWEST_DB, HIGHEST_DB, "dB")


def difference(
    levels: NDArray[np.float64], original: NDArray[np.float64], rate: int, seconds: float
) -> str:
    """Return a picture that shows where decoded sound is too loud (red) or too quiet (blue)."""
    change = np.maximum(levels, DIFFERENCE_FLOOR_DB) - np.maximum(original, DIFFERENCE_FLOOR_DB)
    label = "level difference in dB"
    return _over_time(change, rate, seconds, "RdBu_r", -DIFFERENCE_DB, DIFFERENCE_DB, label)


def _over_time(
    values: NDArray[np.float64],
    rate: int,
    seconds: float,
    colours: str,
    low: float,
    high: float,
    label: str,
) -> str:
    figure = _new()
    axes = figure.add_subplot()
    image = _draw_over_time(axes, values, rate, seconds, colours, low, high)
    axes.set_xlabel("s", fontsize=8)
    bar = figure.colorbar(image, pad=0.02)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return _finished(figure, "webp")


def _draw_over_time(
    axes: Axes,
    values: NDArray[np.float64],
    rate: int,
    seconds: float,
    colours: str,
    low: float,
    high: float,
) -> AxesImage:
    """Draw values [bins, frames] over time and frequency, up to half the rate."""
    axes.set_ylabel("kHz", fontsize=8)
    axes.tick_params(labelsize=8)
    return axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        cmap=colours,
        vmin=low,
        vmax=high,
        extent=(0, seconds, 0, rate / 2000),
    )


def sheet(versions: dict[str, NDArray[np.float64]], rate: int, seconds: float) -> bytes:
    """Return a PNG with spectrograms of levels [bins, frames], by title, on one scale: 0 dB is the
    highest level of the first."""
    figure = Figure(figsize=(10, 2.4 * len(versions)), dpi=100, layout="constrained")
    rows = np.atleast_1d(figure.subplots(len(versions), 1, sharex=True))
    loudest = next(iter(versions.values())).max()
    for axes, (title, levels) in zip(rows, versions.items(), strict=True):
        shown = levels - loudest
        image = _draw_over_time(axes, shown, rate, seconds, "magma", -SHEET_DB, 0.0)
        axes.set_title(title, fontsize=9, loc="left")
    rows[-1].set_xlabel("s", fontsize=8)
    figure.colorbar(image, ax=list(rows), pad=0.01).set_label("dB", fontsize=8)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def bit_allocation(bits: NDArray[np.float64], seconds: float) -> str:
    """Return a picture of the bits [F, N] by frame and stage, and the bitrate of each stage."""
    figure = _new(2.2)
    time, mean = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    stages = bits.shape[1]
    shown = np.ma.masked_equal(bits.T, 0)
    extent = (0, seconds, 0.5, stages + 0.5)
    image = time.imshow(shown, origin="lower", aspect="auto", cmap="viridis", extent=extent)
    time.set_xlabel("s", fontsize=8)
    time.set_ylabel("stage", fontsize=8)
    time.yaxis.set_major_locator(MaxNLocator(integer=True))
    mean.barh(np.arange(1, stages + 1), bits.sum(0) / seconds / 1000, color=COLOURS[0])
    mean.set_xlabel("kbps", fontsize=8)
    bar = figure.colorbar(image, ax=mean, pad=0.05)
    bar.set_label("bits per code", fontsize=8)
    for axes in (time, mean, bar.ax):
        axes.tick_params(labelsize=8)
    return _finished(figure, "webp")
