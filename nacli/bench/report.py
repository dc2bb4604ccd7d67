"""The report: one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from nacli.bench.table import figure_names, heading, show
from nacli.checkpoint import Model
from nacli.errors import counted
from nacli.files.outputs import atomic_output
from nacli.types import Pcm

MAX_CLIPS = 8
"""Clips that are shown; the tables and curves hold all."""
MAX_SECONDS = 10.0
"""Of each clip that are shown and can be played."""
MAX_AUDIO_BYTES = 24 << 20
"""Of players in the page; what comes after has none."""
PAGE = (Path(__file__).parent / "report.html").read_text()


Means = list[tuple[Mean, list[float]]]
"""Means, each with the bitrates that were asked for."""
KEYS = """<p>One player of a clip plays at a time, and the next one goes on at the same position.
Keys: <kbd>1</kbd> plays the original and <kbd>2</kbd> to <kbd>9</kbd> the codecs at the bitrate of
the player that was started last by hand; the same key again pauses.</p>"""


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
    clips = _count_clips(rows)
    players = Players()
    yield head
    yield f"<p>{counted(clips, 'clip')}. Bitrates are real ones, container included. "
    yield "Every version is aligned with its original; its level is as the codec left it.</p>"
    yield "<h2>Means</h2><p>Under the mean of a metric stands its 95% confidence interval, by a "
    yield "bootstrap over the clips. Plots show the same intervals as bars.</p>"
    groups = list(dict.fromkeys(row.group for row in rows))
    colours = _colours(rows)
    for group in groups:
        part = [row for row in rows if row.group == group]
        title = f"{group or 'clips'}, {counted(_count_clips(part), 'clip')}"
        found = _distinct(means(part))
        yield f"<h3>{escape(title)}</h3>{_means_table(found, figure_names(part))}"
        yield "<div class=grid>" + "".join(_curves(found, group, colours)) + "</div>"
    yield f"<h2>Clips</h2>{_shown_note(clips, len(shown))}{KEYS}"
    for clip in shown:
        yield _clip(clip, players, model)
    yield "<h2>Machine and versions</h2>" + _machine_table(machine)
    yield foot


def _count_clips(rows: Sequence[Row]) -> int:
    return len({(row.group, row.clip) for row in rows})


def _distinct(found: Sequence[Mean]) -> Means:
    """Means, codec by codec, with the bitrates that were asked for. A peer's files that answer to
    several bitrates are one mean; it is known by its figures, the measured times among them."""
    kept: Means = []
    for mean in found:
        for other, asked in kept:
            if (mean.codec, mean.clips, mean.figures) == (other.codec, other.clips, other.figures):
                asked.append(mean.asked)
                break
        else:
            kept.append((mean, [mean.asked]))
    codecs = list(dict.fromkeys(mean.codec for mean in found))
    return sorted(kept, key=lambda pair: codecs.index(pair[0].codec))


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    codecs = dict.fromkeys(row.codec for row in rows)
    count = len(figures.COLOURS)
    return {name: figures.COLOURS[index % count] for index, name in enumerate(codecs)}


def _shown_note(clips: int, shown: int) -> str:
    which = "All clips" if shown == clips else f"The first {shown} of {clips} clips"
    return f"<p>{which}, at most {MAX_SECONDS:g} s of each.</p>"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML, under headings that are text."""

    def line(cells: Iterable[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(cells, "td") for cells in lines)
    return f"<div class=wide><table>{line(map(escape, head), 'th')}{body}</table></div>"


def _means_table(found: Means, names: Sequence[str]) -> str:
    lines = []
    for mean, asked in found:
        rates = ", ".join(f"{rate:g}" for rate in asked)
        figures = [show(name, mean.figures.get(name)) + _interval(mean, name) for name in names]
        lines.append([escape(mean.codec), rates, str(mean.clips), *figures])
    return _table(["codec", "asked", "clips", *map(heading, names)], lines)


def _interval(mean: Mean, name: str) -> str:
    if name not in mean.intervals:
        return ""
    low, high = (show(name, value) for value in mean.intervals[name])
    return f"<small>{low} to {high}</small>"


def _machine_table(machine: dict[str, str]) -> str:
    return _table(
        ["part", "version"], [[escape(part) for part in line] for line in machine.items()]
    )


def _curves(found: Means, group: str, colours: dict[str, str]) -> Iterator[str]:
    """A chart for every metric."""
    for metric in METRICS:
        if lines := _lines(found, metric):
            better = "higher" if metric.higher_is_better else "lower"
            caption = f"{metric.title}, {group or 'clips'} ({better} is better)"
            yield _figure(figures.curves(lines, metric.title, colours), caption)


def _lines(found: Means, metric: Metric) -> dict[str, list[figures.Point]]:
    lines: dict[str, list[figures.Point]] = {}
    for mean, _ in found:
        if metric.name in mean.figures:
            value = mean.figures[metric.name]
            low, high = mean.intervals.get(metric.name, (value, value))
            point = figures.Point(mean.figures["kbps"], value, low, high)
            lines.setdefault(mean.codec, []).append(point)
    return lines


def _figure(picture: str, caption: str) -> str:
    text = escape(caption)
    return f'<figure><img src="{picture}" alt="{text}"><figcaption>{text}</figcaption></figure>'


class Players:
    """Makes audio players until the page would get too big."""

    def __init__(self) -> None:
        self._left = MAX_AUDIO_BYTES

    def player(self, pcm: Pcm, rate: int, title: str, key: int) -> str:
        """A player for samples [T, C], as FLAC, which starts with a key."""
        with TemporaryDirectory(prefix="nacli-bench-") as folder:
            path = Path(folder) / "clip.flac"
            write_pcm(path, pcm, rate)
            data = path.read_bytes()
        if len(data) > self._left:
            return "<p>(no player: the page would be too big)</p>"
        self._left -= len(data)
        source = figures.data_uri(data, "audio/flac")
        name = escape(title)
        attributes = f'data-key="{key}" aria-label="{name}" src="{source}"'
        return f"<audio controls preload=metadata {attributes}></audio>"


def _clip(shown: Shown, players: Players, model: Model) -> str:
    """The original, then a fold for every bitrate; the middle one is open."""
    clip = shown.clip
    levels = figures.decibels(clip.pcm.mean(1), clip.rate)
    picture = figures.spectrogram(levels, clip.rate, clip.seconds)
    seconds = f"{clip.seconds:.1f} s, {clip.rate} Hz"
    parts = [f"<section><h3>{escape(_place(clip))}</h3><div class=grid>"]
    parts.append(f"<article><h4>{_key(1)}original</h4>")
    parts.append(players.player(clip.pcm, clip.rate, f"{clip.name}, original", 1))
    parts.append(_figure(picture, seconds) + "</article></div>")
    ordered = sorted(shown.versions, key=lambda version: version.row.asked)
    rates = list(dict.fromkeys(version.row.asked for version in ordered))
    codecs = list(dict.fromkeys(version.row.codec for version in ordered))
    last = {_file(version.row): version.row.asked for version in ordered}
    for rate in rates:
        opened = " open" if rate == rates[len(rates) // 2] else ""
        parts.append(f"<details{opened}><summary>{rate:g} kbps</summary><div class=grid>")
        repeated = []
        for version in (version for version in ordered if version.row.asked == rate):
            codec, at = version.row.codec, last[_file(version.row)]
            key = 2 + codecs.index(codec)
            if at == rate:
                parts.append(_version(clip, version, players, model, key))
            else:
                same = f"{escape(codec)}: the same file as at {at:g} kbps."
                repeated.append(f"<p>{_key(key)}{same}</p>")
        parts += ["</div>", *repeated, "</details>"]
    return "".join(parts) + "</section>"


def _file(row: Row) -> tuple[str, str, float]:
    """What equal files have in common: nacli makes one for every bitrate, a peer for every setting.

    A peer's file is shown at the last bitrate that it answers to, which is the nearest to its own.
    """
    return row.codec, row.setting, row.asked if row.codec == NAME else 0.0


def _place(clip: Clip) -> str:
    return f"{clip.group}/{clip.name}" if clip.group else clip.name


def _key(number: int) -> str:
    """The key that plays a version."""
    return f"<kbd>{number}</kbd> " if number < 10 else ""


def _version(clip: Clip, version: Version, players: Players, model: Model, key: int) -> str:
    row, rate = version.row, clip.rate
    title = f"{row.codec}, {row.kbps:.2f} kbps"
    original = figures.decibels(clip.pcm.mean(1), rate)
    levels = figures.decibels(version.pcm.mean(1), rate)
    named = ", ".join(f"{heading(name)} {show(name, value)}" for name, value in row.quality.items())
    parts = [
        f"<article><h4>{_key(key)}{escape(title)}</h4>",
        players.player(version.pcm, rate, f"{clip.name}, {title}", key),
        _figure(figures.spectrogram(levels, rate, clip.seconds), named),
        _figure(
            figures.difference(levels, original, rate, clip.seconds), "difference from the original"
        ),
    ]
    if row.codec == NAME:
        frames = round(clip.seconds * model.config.frame_rate)
        bits = allocation(version.data, model)[:frames]
        parts.append(_figure(figures.bit_allocation(bits, clip.seconds), "bits by stage and time"))
    return "".join(parts) + "</article>"
