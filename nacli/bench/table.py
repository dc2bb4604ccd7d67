"""A benchmark as text, CSV and plain data."""

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
"""Heading and format of every figure, in the order of the columns."""
ARROWS = {metric.name: "↑" if metric.higher_is_better else "↓" for metric in METRICS}


def show(name: str, value: float | None) -> str:
    """A figure as text; nothing where it was not taken."""
    if value is None:
        return ""
    return "-" if math.isnan(value) else FORMATS[name][1].format(value)


def heading(name: str) -> str:
    """The name of a figure, with an arrow to where it is better."""
    return FORMATS[name][0] + ARROWS.get(name, "")


def text_table(rows: Sequence[Row]) -> str:
    """An aligned line for every row, then, where there are several clips, for every mean."""
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
    """What a mean is of."""
    return f"mean of {mean.clips}" + (f" {mean.group}" if mean.group else "")


def figure_names(rows: Sequence[Row]) -> list[str]:
    """The figures that some row has, in the order of the columns."""
    return [name for name in FORMATS if any(name in row.figures for row in rows)]


def cells(figures: dict[str, float], names: Iterable[str]) -> list[str]:
    return [show(name, figures.get(name)) for name in names]


def aligned(lines: Sequence[Sequence[str]], left: int = 2) -> str:
    """Columns of one width each; the first `left` are flush left, the others flush right."""
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
    """One line for every row, with a heading; names and units are those of `to_json`."""
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
    """A row as plain data: its fields, kbps and speeds; what is no number is None."""
    value = asdict(row) | {"kbps": row.kbps}
    value |= {"encode_speed": row.encode_speed, "decode_speed": row.decode_speed}
    return value | {"quality": finite(row.quality)}


def mean_json(mean: Mean) -> dict[str, Any]:
    return asdict(mean) | {"figures": finite(mean.figures)}


def finite(figures: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: PESQ of a clip without speech becomes None."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def to_json(rows: Sequence[Row], machine: dict[str, str]) -> dict[str, Any]:
    """The whole benchmark as plain data."""
    return {
        "machine": machine,
        "rows": [row_json(row) for row in rows],
        "means": [mean_json(mean) for mean in means(rows)],
    }
