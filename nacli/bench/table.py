"""Output of a benchmark as text, CSV and JSON data."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from nacli.bench.measure import Mean, Row, means
from nacli.bench.quality import METRICS

FORMATS = {
    "kbps": ("file kbps", "{:.2f}"),
    "size": ("bytes", "{:.0f}"),
    "encode_speed": ("enc x", "{:.1f}"),
    "decode_speed": ("dec x", "{:.1f}"),
    "cpu": ("cpu s/s", "{:.3f}"),
    "peak_mib": ("MiB", "{:.0f}"),
    "mel": ("mel", "{:.3f}"),
    "stft": ("STFT", "{:.3f}"),
    "si_sdr": ("SI-SDR", "{:.2f}"),
    "level": ("level", "{:.2f}"),
    "pesq": ("PESQ-WB", "{:.3f}"),
    "stoi": ("STOI", "{:.3f}"),
    "estoi": ("ESTOI", "{:.3f}"),
    "visqol": ("ViSQOL", "{:.3f}"),
}
"""Heading and number format of every figure, in the order of the columns."""
ARROWS = {metric.name: "↑" if metric.higher_is_better else "↓" for metric in METRICS}


def show(name: str, value: float | None) -> str:
    """Return a figure as text; an empty string if it was not measured."""
    if value is None:
        return ""
    return "-" if math.isnan(value) else FORMATS[name][1].format(value)


def heading(name: str) -> str:
    """Return the heading of a figure, with an arrow that points to better values."""
    return FORMATS[name][0] + ARROWS.get(name, "")


def text_table(rows: Sequence[Row]) -> str:
    """Return an aligned line for every row and, if there are several clips, for every mean."""
    names = figure_names(rows)
    clips = [[row.clip, row.codec, f"{row.asked:g}", *cells(row.figures, names)] for row in rows]
    averages = [
        [label(mean), mean.codec, f"{mean.asked:g}", *cells(mean.figures, names)]
        for mean in means(rows)
    ]
    head = ["clip", "codec", "asked", *map(heading, names)]
    several = len({(row.group, row.clip) for row in rows}) > 1
    return aligned([head, *clips, *([[], head, *averages] if several else [])])


def label(mean: Mean) -> str:
    """Return the label of a mean: the number of clips and their folder."""
    return f"mean of {mean.clips}" + (f" {mean.group}" if mean.group else "")


def figure_names(rows: Sequence[Row]) -> list[str]:
    """Return the names of the figures that any row has, in the order of the columns."""
    return [name for name in FORMATS if any(name in row.figures for row in rows)]


def cells(figures: dict[str, float], names: Iterable[str]) -> list[str]:
    """Return the named figures as text."""
    return [show(name, figures.get(name)) for name in names]


def aligned(lines: Sequence[Sequence[str]], left: int = 2) -> str:
    """Align cells in columns: the first `left` columns flush left, the others flush right."""
    width = max(map(len, lines), default=0)
    sizes = [max(len(line[i]) for line in lines if len(line) > i) for i in range(width)]
    return "\n".join(
        "  ".join(
            cell.ljust(size) if index < left else cell.rjust(size)
            for index, (cell, size) in enumerate(zip(line, sizes, strict=False))
        ).rstrip()
        for line in lines
    )


def csv_table(rows: Sequence[Row]) -> str:
    """Return a heading and a line for every row, with the names and units of `to_json`."""
    values = [_flat(row) for row in rows]
    out = io.StringIO()
    names = list(dict.fromkeys(name for value in values for name in value))
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(values)
    return out.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    value = row_json(row)
    return {**{k: v for k, v in value.items() if k != "quality"}, **value["quality"]}


def row_json(row: Row) -> dict[str, Any]:
    """Return a row as plain data: its fields, kbps and speeds, with None for NaN."""
    value = asdict(row) | {"kbps": row.kbps}
    value |= {"encode_speed": row.encode_speed, "decode_speed": row.decode_speed}
    return value | {"quality": finite(row.quality)}


def mean_json(mean: Mean) -> dict[str, Any]:
    """Return a mean as plain data, with None for NaN."""
    return asdict(mean) | {"figures": finite(mean.figures)}


def finite(figures: dict[str, float]) -> dict[str, float | None]:
    """Return figures with None for NaN, which JSON does not have."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def to_json(rows: Sequence[Row], machine: dict[str, str]) -> dict[str, Any]:
    """Return the whole benchmark as plain data."""
    return {
        "machine": machine,
        "rows": [row_json(row) for row in rows],
        "means": [mean_json(mean) for mean in means(rows)],
    }
