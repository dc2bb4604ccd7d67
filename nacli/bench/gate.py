"""The regression gate: compares the figures of a run with those of a saved baseline."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacli.bench.measure import Row
from nacli.bench.quality import BY_NAME, METRICS
from nacli.bench.subject import NAME
from nacli.bench.table import aligned, finite
from nacli.errors import UnreadableInput
from nacli.files.outputs import atomic_output

FORMAT = 1
"""Version of the baseline file."""


@dataclass(frozen=True)
class Tolerance:
    """The amount by which a figure may become worse: absolute, or relative to the baseline."""

    amount: float
    relative: bool = False

    def allows(self, before: float) -> float:
        """Return the allowed amount for a figure with this value in the baseline."""
        return abs(before) * self.amount if self.relative else self.amount

    def scaled(self, factor: float) -> Tolerance:
        """Return this tolerance times a factor."""
        return Tolerance(self.amount * factor, self.relative)


Tolerances = dict[str, Tolerance]
TOLERANCES: Tolerances = {
    "kbps": Tolerance(0.02, relative=True),
    "encoding": Tolerance(0.75, relative=True),
    "decoding": Tolerance(0.75, relative=True),
    **{metric.name: Tolerance(metric.tolerance) for metric in METRICS},
}
"""Default tolerances. `encoding` and `decoding` are CPU times relative to the calibration loop."""


def read_tolerances(text: str) -> Tolerances:
    """Parse tolerances: `2` doubles all of them, `mel=0.05,decoding=80%` sets two of them. Raises
    `ValueError` for other text."""
    found = dict(TOLERANCES)
    for part in filter(None, text.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            found = {key: old.scaled(float(name)) for key, old in found.items()}
        elif name in found:
            relative = value.endswith("%")
            found[name] = Tolerance(float(value.rstrip("%")) / (100 if relative else 1), relative)
        else:
            raise ValueError(f"there is no figure {name!r} (the figures are {', '.join(found)})")
    return found


def make_baseline(rows: Sequence[Row], machine: dict[str, str]) -> dict[str, Any]:
    """Return the baseline of a run as plain data: the rows of nacli, without peers."""
    ours = [row for row in rows if row.codec == NAME]
    return {
        "format": FORMAT,
        "machine": machine,
        "speed": speed_ratios(ours),
        "rows": [
            {
                "clip": row.clip,
                "group": row.group,
                "asked": row.asked,
                "figures": finite({"kbps": row.kbps, **row.quality}),
                "bitstream": row.bitstream,
                "codes": row.codes,
            }
            for row in ours
        ],
    }


def speed_ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Return the CPU time per second of audio, divided by that of the calibration loop."""
    units = sum(row.calibration * row.seconds for row in rows)
    totals = {
        "encoding": sum(row.encode_cpu for row in rows),
        "decoding": sum(row.decode_cpu for row in rows),
    }
    return {name: total / units for name, total in totals.items()} if units else {}


def save_baseline(path: str, baseline: dict[str, Any], force: bool) -> None:
    """Write a baseline. Raises `OutputExists`, `WriteFailed`."""
    with atomic_output(path, force) as output:
        output.write((json.dumps(baseline, indent=1) + "\n").encode())


def load_baseline(path: str) -> dict[str, Any]:
    """Read a baseline that `save_baseline` wrote. Raises `UnreadableInput` for other files."""
    try:
        baseline: dict[str, Any] = json.loads(Path(path).read_text())
        if baseline["format"] != FORMAT:
            raise ValueError(f"its format is {baseline['format']} instead of {FORMAT}")
        named = [baseline["speed"], *(row["figures"] for row in _keyed(baseline).values())]
        if unknown := {name for figures in named for name in figures} - set(TOLERANCES):
            raise ValueError(f"it has unknown figures: {', '.join(sorted(unknown))}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(
            f"{path}: this file is not a baseline of nacli bench: {error}"
        ) from error
    return baseline


Key = tuple[str, str, float]


def _keyed(baseline: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    return {(row["group"], row["clip"], row["asked"]): row for row in baseline["rows"]}


@dataclass(frozen=True)
class Change:
    """A figure before and after.

    `worse` is the amount by which it became worse, negative if it became better. If the figure is
    missing, `worse` is infinite and `after` is NaN.
    """

    where: str
    figure: str
    before: float
    after: float
    worse: float
    allowed: float

    @property
    def missing(self) -> bool:
        return math.isnan(self.after)

    @property
    def fails(self) -> bool:
        return self.worse > self.allowed

    @property
    def improves(self) -> bool:
        return self.worse < -self.allowed


def compare(baseline: dict[str, Any], now: dict[str, Any], tolerances: Tolerances) -> list[Change]:
    """Compare every figure of the baseline with this run. Figures that only this run has are not
    compared."""
    found = list(_changes("all", baseline["speed"], now["speed"], tolerances))
    rows = _keyed(now)
    for key, before in _keyed(baseline).items():
        after = rows[key]["figures"] if key in rows else {}
        where = f"{key[1]} at {key[2]:g} kbps"
        found += _changes(where, before["figures"], after, tolerances)
    return found


def _changes(
    where: str,
    before: dict[str, float | None],
    after: dict[str, float | None],
    tolerances: Tolerances,
) -> Iterator[Change]:
    for name, old in before.items():
        if old is None:
            continue
        new = after.get(name)
        sign = -1 if name in BY_NAME and BY_NAME[name].higher_is_better else 1
        worse = math.inf if new is None else sign * (new - old)
        value = math.nan if new is None else new
        yield Change(where, name, old, value, worse, tolerances[name].allows(old))


def compare_golden(baseline: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return a line for every file whose bytes or codes differ from those of the baseline."""
    found, rows = [], _keyed(now)
    for key, before in _keyed(baseline).items():
        after = rows.get(key, {})
        for name in ("codes", "bitstream"):
            if before[name] != after.get(name):
                where = f"{key[1]} at {key[2]:g} kbps"
                found.append(f"{where}: {name} {before[name]} -> {after.get(name, 'missing')}")
    return found


def summary(changes: Sequence[Change]) -> str:
    """Return the comparison as text: the means of each figure before and after, a line for each
    figure that changed by more than its tolerance, and a line for each clip and bitrate with
    missing figures, which the means leave out."""
    compared = [change for change in changes if not change.missing]
    lines = [["figure", "baseline", "now", "change", "worst", "allowed"]]
    for name in dict.fromkeys(change.figure for change in compared):
        part = [change for change in compared if change.figure == name]
        before, after = (
            sum(values) / len(part)
            for values in zip(*((change.before, change.after) for change in part), strict=True)
        )
        worst = max(part, key=lambda change: change.worse - change.allowed)
        lines.append(
            [name, f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}",
             f"{worst.worse:+.4f}", f"{worst.allowed:.4f}"]
        )  # fmt: skip
    changed = [line for change in compared if (line := _changed_line(change))]
    table = [aligned(lines, left=1)] if compared else []
    lines_of_text = [*table, *changed, *_missing(changes)]
    return "\n".join(lines_of_text or ["The baseline and this run have no figure in common."])


def _missing(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each clip and bitrate with missing figures."""
    for where in dict.fromkeys(change.where for change in changes if change.missing):
        figures = ", ".join(c.figure for c in changes if c.where == where and c.missing)
        yield f"missing  {where}: this run has no {figures}, which the baseline has"


def _changed_line(change: Change) -> str | None:
    if not (change.fails or change.improves):
        return None
    word = "worse " if change.fails else "better"
    what = f"{change.figure} {change.before:.4f} -> {change.after:.4f}"
    return f"{word}  {change.where}: {what} (allowed {change.allowed:.4f})"
