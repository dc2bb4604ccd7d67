"""The tables and curves of the report, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from nacli.bench import figures
from nacli.bench.measure import Mean, Row
from nacli.bench.quality import METRICS, Metric
from nacli.bench.table import heading, show

Means = list[tuple[Mean, list[float]]]
"""Means, each with the requested bitrates in kbps that it belongs to."""


def distinct(means: Sequence[Mean]) -> Means:
    """Group means by codec, and merge those of the same files.

    One file of a peer may be the nearest to several requested bitrates. Such means are recognised
    by equal figures, which include the measured times.
    """
    kept: Means = []
    for mean in means:
        for other, asked in kept:
            if (mean.codec, mean.clips, mean.figures) == (other.codec, other.clips, other.figures):
                asked.append(mean.asked)
                break
        else:
            kept.append((mean, [mean.asked]))
    codecs = list(dict.fromkeys(mean.codec for mean in means))
    return sorted(kept, key=lambda pair: codecs.index(pair[0].codec))


def codec_colours(rows: Sequence[Row]) -> dict[str, str]:
    """Return a colour for each codec."""
    codecs = dict.fromkeys(row.codec for row in rows)
    count = len(figures.COLOURS)
    return {name: figures.COLOURS[index % count] for index, name in enumerate(codecs)}


def means_table(means: Means, names: Sequence[str]) -> str:
    """Return a table with a line for each mean, and a column for each of the named figures."""
    lines = []
    for mean, asked in means:
        rates = ", ".join(f"{rate:g}" for rate in asked)
        cells = [show(name, mean.figures.get(name)) + _interval(mean, name) for name in names]
        lines.append([escape(mean.codec), rates, str(mean.clips), *cells])
    return _table(["codec", "asked", "clips", *map(heading, names)], lines)


def _interval(mean: Mean, name: str) -> str:
    """Return the confidence interval of a figure; an empty string if it has none."""
    if name not in mean.intervals:
        return ""
    low, high = (show(name, value) for value in mean.intervals[name])
    return f"<small>{low} to {high}</small>"


def machine_table(machine: dict[str, str]) -> str:
    """Return a table of the machine and of all versions."""
    lines = [[escape(cell) for cell in line] for line in machine.items()]
    return _table(["part", "version"], lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table. Headings are text; cells are HTML."""

    def line(cells: Iterable[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(cells, "td") for cells in lines)
    return f"<div class=wide><table>{line(map(escape, head), 'th')}{body}</table></div>"


def rate_curves(means: Means, group: str, colours: dict[str, str]) -> Iterator[str]:
    """Yield a rate-quality chart for every metric that the clips of a group have."""
    for metric in METRICS:
        if lines := _points(means, metric):
            better = "higher" if metric.higher_is_better else "lower"
            caption = f"{metric.title}, {group or 'clips'} ({better} is better)"
            yield figure(figures.curves(lines, metric.title, colours), caption)


def _points(means: Means, metric: Metric) -> dict[str, list[figures.Point]]:
    """Return the points of a metric's curves, by codec."""
    lines: dict[str, list[figures.Point]] = {}
    for mean, _ in means:
        if metric.name in mean.figures:
            value = mean.figures[metric.name]
            low, high = mean.intervals.get(metric.name, (value, value))
            point = figures.Point(mean.figures["kbps"], value, low, high)
            lines.setdefault(mean.codec, []).append(point)
    return lines


def figure(picture: str, caption: str) -> str:
    """Return a picture, given as a URI, with its caption."""
    text = escape(caption)
    return f'<figure><img src="{picture}" alt="{text}"><figcaption>{text}</figcaption></figure>'
