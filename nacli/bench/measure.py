"""Measurement of clips: nacli codes each of them at every bitrate, and so do the peers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nacli.bench.align import align
from nacli.bench.clips import Clip, write_pcm
from nacli.bench.peers import Peer, PeerRun
from nacli.bench.quality import Metric, measure_quality
from nacli.bench.subject import NAME, CodedClip, Subject, identify
from nacli.errors import NacliError
from nacli.types import Pcm

BOOTSTRAP_DRAWS = 2000
"""Number of resampled means that a confidence interval is taken from."""


@dataclass(frozen=True)
class Row:
    """The figures of one clip, coded by one codec.

    `asked` is the requested bitrate of nacli in kbps that the row belongs to; `kbps` is the real
    one, container included. Times are in seconds, `size` and `peak` in bytes, `delay` in samples.
    `calibration` is the CPU time of the calibration loop (nacli only).
    """

    codec: str
    clip: str
    group: str
    asked: float
    setting: str
    seconds: float
    size: int
    encode_seconds: float
    decode_seconds: float
    encode_cpu: float
    decode_cpu: float
    peak: int
    delay: int
    quality: dict[str, float]
    calibration: float = 0.0
    bitstream: str = ""
    codes: str = ""

    @property
    def kbps(self) -> float:
        return self.size * 8 / 1000 / self.seconds

    @property
    def encode_speed(self) -> float:
        """Seconds of audio per second of wall time."""
        return self.seconds / max(self.encode_seconds, 1e-9)

    @property
    def decode_speed(self) -> float:
        return self.seconds / max(self.decode_seconds, 1e-9)

    @property
    def cpu(self) -> float:
        """CPU seconds of encoding and decoding per second of audio."""
        return (self.encode_cpu + self.decode_cpu) / self.seconds

    @property
    def figures(self) -> dict[str, float]:
        """All figures of tables, means and gates, by name."""
        return {
            "kbps": self.kbps,
            "size": self.size,
            "encode_speed": self.encode_speed,
            "decode_speed": self.decode_speed,
            "cpu": self.cpu,
            "peak_mib": self.peak / 2**20,
            **self.quality,
        }


@dataclass(frozen=True)
class Version:
    """A decoded clip, aligned with its original, with its row. `data` is the file of nacli."""

    row: Row
    pcm: Pcm
    data: bytes


@dataclass
class BenchPlan:
    """The settings of a benchmark. `keep` is a folder for the decoded clips."""

    bitrates: Sequence[float]
    metrics: tuple[Metric, ...]
    peers: Sequence[Peer] = ()
    keep: Path | None = None
    say: Callable[[str], None] = lambda line: None
    """Called with a message when a peer fails to code a clip."""
    watch: Callable[[], None] = lambda: None
    """Called after every row."""

    def steps(self, clips: int) -> int:
        """Return how often `watch` will be called for this number of clips."""
        return clips * len(self.bitrates) * (1 + len(self.peers))


def run_clip(clip: Clip, subject: Subject, plan: BenchPlan) -> list[Version]:
    """Measure one clip with all codecs, nacli first at each bitrate."""
    peers = {peer.name: PeerRun(peer, clip) for peer in plan.peers}
    measured: dict[tuple[str, str], Version] = {}
    versions = []
    for bitrate in plan.bitrates:
        coded = subject.run(clip, bitrate)
        real = coded.size * 8 / 1000 / clip.seconds
        versions.append(_version(clip, NAME, bitrate, coded, plan))
        plan.watch()
        for name in list(peers):
            try:
                coded = peers[name].nearest(real)
            except NacliError as error:
                del peers[name]
                plan.say(f"{clip.name}: {name} is left out: {error}")
                continue
            key = (name, coded.setting)  # one setting may be the nearest to several bitrates
            if key not in measured:
                measured[key] = _version(clip, name, bitrate, coded, plan)
            row = replace(measured[key].row, asked=bitrate)
            versions.append(replace(measured[key], row=row))
            plan.watch()
    return versions


def _version(clip: Clip, codec: str, asked: float, coded: CodedClip, plan: BenchPlan) -> Version:
    """Align and measure a decoded clip, and keep it if the plan says so."""
    pcm, delay = align(clip.pcm, coded.pcm, clip.rate, coded.rate)
    chosen = tuple(metric for metric in plan.metrics if metric.suits(clip.group))
    identity = identify(coded.data) if coded.data else None
    row = Row(
        codec=codec,
        clip=clip.name,
        group=clip.group,
        asked=asked,
        setting=coded.setting,
        seconds=clip.seconds,
        size=coded.size,
        encode_seconds=coded.encoding.wall,
        decode_seconds=coded.decoding.wall,
        encode_cpu=coded.encoding.cpu,
        decode_cpu=coded.decoding.cpu,
        peak=max(coded.encoding.peak, coded.decoding.peak),
        delay=delay,
        quality=measure_quality(clip.pcm, pcm, clip.rate, chosen),
        calibration=coded.calibration,
        bitstream=identity.bitstream if identity else "",
        codes=identity.codes if identity else "",
    )
    if plan.keep is not None:
        name = f"{clip.group}-{clip.name}.{codec}-{asked:g}.wav"
        write_pcm(plan.keep / name, pcm, clip.rate, "FLOAT")
    return Version(row, pcm, coded.data)


@dataclass(frozen=True)
class Mean:
    """The mean of the rows of one codec at one bitrate, over all clips or those of one folder.

    `intervals` are the 95% confidence intervals of the means of quality figures that at least two
    clips have.
    """

    codec: str
    asked: float
    group: str | None
    clips: int
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def means(rows: Sequence[Row]) -> list[Mean]:
    """Return the means by folder, if there are several folders, and over all clips."""
    groups: list[str | None] = list(dict.fromkeys(row.group for row in rows))
    if len(groups) > 1:
        groups.append(None)
    else:
        groups = [None]
    found = []
    for group in groups:
        chosen = [row for row in rows if group in (None, row.group)]
        for asked, codec in sorted(
            dict.fromkeys((row.asked, row.codec) for row in chosen), key=lambda pair: pair[0]
        ):
            part = [row for row in chosen if (row.asked, row.codec) == (asked, codec)]
            figures = _numbers(row.figures for row in part)
            quality = _numbers(row.quality for row in part)
            average = {name: float(np.mean(values)) for name, values in figures.items()}
            intervals = {name: interval(vs) for name, vs in quality.items() if len(vs) > 1}
            found.append(Mean(codec, asked, group, len(part), average, intervals))
    return found


def _numbers(figures: Iterable[dict[str, float]]) -> dict[str, list[float]]:
    """Return the values of each figure without NaN; figures without values are left out."""
    found: dict[str, list[float]] = {}
    for row in figures:
        for name, value in row.items():
            if not np.isnan(value):
                found.setdefault(name, []).append(value)
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95% confidence interval of the mean of `values`, one for each clip.

    The method is a percentile bootstrap over the clips, with a fixed seed (Efron, 1979).
    """
    drawn = np.random.default_rng(0).choice(np.asarray(values), (BOOTSTRAP_DRAWS, len(values)))
    low, high = np.percentile(drawn.mean(1), (2.5, 97.5))
    return float(low), float(high)
