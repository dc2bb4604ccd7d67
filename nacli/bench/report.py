"""The report: one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from nacli.bench import figures
from nacli.bench.allocation import allocation
from nacli.bench.clips import Clip, write_pcm
from nacli.bench.measure import Mean, Row, Version, means
from nacli.bench.quality import METRICS, Metric
from nacli.bench.subject import NAME
from nacli.bench.table import cells, figure_names, heading, label, show
from nacli.checkpoint import Model
from nacli.files.streams import atomic_output
from nacli.types import Pcm

MAX_CLIPS = 8
"""Clips that are shown; the tables and curves hold all."""
MAX_SECONDS = 10.0
"""Of each clip that are shown and can be played."""
MAX_AUDIO_BYTES = 24 << 20
"""Of players in the page; what comes after has none."""
PAGE = (Path(__file__).parent / "report.html").read_text()


@dataclass(frozen=True)
class Shown:
    """The beginning of a clip and of its versions."""

    clip: Clip
    versions: list[Version]


def excerpt(clip: Clip, versions: Sequence[Version]) -> Shown:
    """What the report keeps of a clip."""
    samples = int(MAX_SECONDS * clip.rate)
    short = [replace(version, pcm=version.pcm[:samples].copy()) for version in versions]
    return Shown(replace(clip, pcm=clip.pcm[:samples].copy()), short)


def save_report(
    path: str,
    rows: Sequence[Row],
    shown: Sequence[Shown],
    machine: dict[str, str],
    model: Model,
    force: bool,
) -> None:
    """Write the page. Raises `OutputExists`, `WriteFailed`."""
    with atomic_output(path, force) as output:
        for part in _page(rows, shown, machine, model):
            output.write(part.encode())


def _page(
    rows: Sequence[Row], shown: Sequence[Shown], machine: dict[str, str], model: Model
) -> Iterator[str]:
    head, foot = PAGE.split("<!-- content -->")
    clips = len({(row.group, row.clip) for row in rows})
    players = Players()
    yield head
    yield f"<p>{clips} clips. Rates are real ones, container included; every version has been "
    yield "aligned with its original, levels are as they came.</p>"
    yield "<h2>Means</h2>" + _means_table(rows)
    yield "<h2>Quality by rate</h2><div class=grid>" + "".join(_curves(rows)) + "</div>"
    yield f"<h2>Clips</h2>{_shown_note(clips, len(shown))}"
    for clip in shown:
        yield _clip(clip, players, model)
    yield "<h2>Machine and versions</h2>" + _machine_table(machine)
    yield foot


def _shown_note(clips: int, shown: int) -> str:
    which = "All clips" if shown == clips else f"The first {shown} of {clips} clips"
    return f"<p>{which}, at most {MAX_SECONDS:g} s of each.</p>"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(cells, "td") for cells in lines)
    return f"<div class=wide><table>{line(head, 'th')}{body}</table></div>"


def _means_table(rows: Sequence[Row]) -> str:
    names = figure_names(rows)
    lines = [
        [mean.codec, label(mean), f"{mean.asked:g}", *cells(mean.figures, names)]
        for mean in means(rows)
    ]
    return _table(["codec", "clips", "asked", *map(heading, names)], lines)


def _machine_table(machine: dict[str, str]) -> str:
    return _table(["part", "version"], list(machine.items()))


def _curves(rows: Sequence[Row]) -> Iterator[str]:
    """A chart for every metric, and for every folder where clips come from several."""
    found = means(rows)
    codecs = dict.fromkeys(mean.codec for mean in found)
    colours = {
        name: figures.COLOURS[index % len(figures.COLOURS)] for index, name in enumerate(codecs)
    }
    named = [group for group in dict.fromkeys(mean.group for mean in found) if group]
    groups: list[str | None] = [*named] or [None]
    for group in groups:
        part = [mean for mean in found if mean.group == group]
        for metric in METRICS:
            lines = _lines(part, metric)
            if lines:
                title = metric.title + (f", {group}" if group else "")
                better = "higher" if metric.higher_is_better else "lower"
                picture = figures.curves(lines, metric.title, colours)
                yield _figure(picture, f"{title} ({better} is better)")


def _lines(part: Sequence[Mean], metric: Metric) -> dict[str, figures.Points]:
    lines: dict[str, figures.Points] = {}
    for mean in part:
        if metric.name in mean.figures:
            point = (mean.figures["kbps"], mean.figures[metric.name])
            lines.setdefault(mean.codec, []).append(point)
    return lines


def _figure(picture: str, caption: str) -> str:
    text = escape(caption)
    return f'<figure><img src="{picture}" alt="{text}"><figcaption>{text}</figcaption></figure>'


class Players:
    """Makes audio players until the page would get too big."""

    def __init__(self) -> None:
        self._left = MAX_AUDIO_BYTES

    def player(self, pcm: Pcm, rate: int, title: str) -> str:
        """A player for samples [T, C], as FLAC."""
        with TemporaryDirectory(prefix="nacli-bench-") as folder:
            path = Path(folder) / "clip.flac"
            write_pcm(path, pcm, rate)
            data = path.read_bytes()
        if len(data) > self._left:
            return "<p>(no player: the page would be too big)</p>"
        self._left -= len(data)
        source = figures.data_uri(data, "audio/flac")
        name = escape(title)
        return f'<audio controls preload=metadata aria-label="{name}" src="{source}"></audio>'


def _clip(shown: Shown, players: Players, model: Model) -> str:
    """The original, then a fold for every bitrate; the middle one is open."""
    clip = shown.clip
    levels = figures.decibels(clip.pcm.mean(1), clip.rate)
    picture = figures.spectrogram(levels, clip.rate, clip.seconds)
    seconds = f"{clip.seconds:.1f} s, {clip.rate} Hz"
    parts = [f"<section><h3>{escape(clip.name)}</h3><div class=grid><article><h4>original</h4>"]
    parts.append(players.player(clip.pcm, clip.rate, f"{clip.name}, original"))
    parts.append(_figure(picture, seconds) + "</article></div>")
    rates = sorted({version.row.asked for version in shown.versions})
    for rate in rates:
        opened = " open" if rate == rates[len(rates) // 2] else ""
        parts.append(f"<details{opened}><summary>{rate:g} kbps</summary><div class=grid>")
        versions = [version for version in shown.versions if version.row.asked == rate]
        parts += [_version(clip, version, players, model) for version in versions]
        parts.append("</div></details>")
    return "".join(parts) + "</section>"


def _version(clip: Clip, version: Version, players: Players, model: Model) -> str:
    row, rate = version.row, clip.rate
    title = f"{row.codec}, {row.kbps:.2f} kbps"
    original = figures.decibels(clip.pcm.mean(1), rate)
    levels = figures.decibels(version.pcm.mean(1), rate)
    named = ", ".join(f"{heading(name)} {show(name, value)}" for name, value in row.quality.items())
    parts = [
        f"<article><h4>{escape(title)}</h4>",
        players.player(version.pcm, rate, f"{clip.name}, {title}"),
        _figure(figures.spectrogram(levels, rate, clip.seconds), named),
        _figure(figures.difference(levels, original, rate, clip.seconds), "less the original"),
    ]
    if row.codec == NAME:
        frames = round(clip.seconds * model.config.frame_rate)
        bits = allocation(version.data, model)[:frames]
        parts.append(_figure(figures.bit_allocation(bits, clip.seconds), "bits by stage and time"))
    return "".join(parts) + "</article>"
