"""The quality metrics of a benchmark, with the rate, package and clips that each is meant for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np

from nacli.bench import metrics
from nacli.bench.clips import resample
from nacli.types import Floats, Pcm


@dataclass(frozen=True)
class Metric:
    """A metric that compares a decoded recording with its original.

    Attributes:
        rate: sample rate in Hz to which both recordings are converted; None for their own rate.
        package: package that must be installed; None if nacli measures the metric itself.
        group: name of the folders whose clips the metric is meant for; None for all clips.
        tolerance: default amount by which the figure may become worse at the gate.
    """

    name: str
    title: str
    measure: Callable[[Floats, Floats, int], float]
    higher_is_better: bool
    tolerance: float
    rate: int | None = None
    package: str | None = None
    group: str | None = None

    @property
    def installed(self) -> bool:
        return self.package is None or find_spec(self.package) is not None

    def suits(self, group: str) -> bool:
        """Return whether clips of a folder are measured with this metric. Clips of folders that no
        metric names are measured with all metrics."""
        return self.group in (None, group) or group not in GROUPS


def _fixed(function: Callable[[Floats, Floats], float]) -> Callable[..., float]:
    """Return a metric without a rate as one that takes a rate like the others."""
    return lambda reference, decoded, rate: function(reference, decoded)


_speech = partial(Metric, higher_is_better=True, rate=metrics.SPEECH_RATE, group="speech")

METRICS = (
    Metric("mel", "log-mel distance", metrics.log_mel_distance, False, 0.03),
    Metric("stft", "STFT distance", metrics.stft_distance, False, 0.03),
    Metric("si_sdr", "SI-SDR in dB", _fixed(metrics.si_sdr), True, 0.2),
    Metric("level", "level error in dB", _fixed(metrics.level_error), False, 0.2),
    _speech("pesq", "PESQ-WB", _fixed(metrics.pesq_wb), tolerance=0.05, package="pesq"),
    _speech("stoi", "STOI", _fixed(metrics.stoi), tolerance=0.01, package="pystoi"),
    _speech("estoi", "ESTOI", _fixed(metrics.estoi), tolerance=0.01, package="pystoi"),
    Metric(
        "visqol",
        "ViSQOL (audio)",
        _fixed(metrics.visqol),
        True,
        0.05,
        metrics.VISQOL_RATE,
        "visqol",
        "music",
    ),
)
GROUPS = {metric.group for metric in METRICS} - {None}
"""Names of folders that metrics are meant for."""
BY_NAME = {metric.name: metric for metric in METRICS}


def measure_quality(
    original: Pcm, decoded: Pcm, rate: int, chosen: tuple[Metric, ...]
) -> dict[str, float]:
    """Return each metric of two recordings [T, C] of equal rate, as the mean over channels."""
    return {metric.name: _measure(metric, original, decoded, rate) for metric in chosen}


def _measure(metric: Metric, original: Pcm, decoded: Pcm, rate: int) -> float:
    if metric.rate is not None:
        original, decoded = (resample(pcm, rate, metric.rate) for pcm in (original, decoded))
        rate = metric.rate
    pairs = zip(original.T, decoded.T, strict=True)
    return float(np.mean([metric.measure(*pair, rate) for pair in pairs]))
