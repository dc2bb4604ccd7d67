"""The run of `nacli bench`: the measurement with a bar, the output, and the baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nacli.errors import GateFailed

if TYPE_CHECKING:
    from nacli.bench.gate import Tolerances
    from nacli.bench.measure import BenchPlan, Row
    from nacli.bench.report_clips import Shown


@dataclass(frozen=True)
class Output:
    """The form of the figures on stdout, and the files that they are written to."""

    as_json: bool
    as_csv: bool
    save: str | None
    report: str | None
    force: bool


def measure(
    paths: list[Path],
    seconds: float | None,
    mono: bool,
    model: Path | None,
    plan: BenchPlan,
    report: str | None,
    shows_bar: bool,
) -> tuple[list[Row], list[Shown]]:
    """Measure all clips; return their rows and the excerpts for the report."""
    from tqdm import tqdm

    from nacli.bench.clips import read_clip
    from nacli.bench.measure import run_clip
    from nacli.bench.subject import Isolated

    rows: list[Row] = []
    excerpts: list[Shown] = []
    total = plan.steps(len(paths))
    with (
        tqdm(total=total, unit="run", leave=False, disable=not shows_bar) as bar,
        Isolated(model) as subject,
    ):
        plan.watch = bar.update
        for path in paths:
            clip = read_clip(path, seconds, mono)
            versions = run_clip(clip, subject, plan)
            rows += [version.row for version in versions]
            if report:
                from nacli.bench.report import MAX_CLIPS
                from nacli.bench.report_clips import excerpt

                if len(excerpts) < MAX_CLIPS:
                    excerpts.append(excerpt(clip, versions))
    return rows, excerpts


def publish(
    rows: list[Row], excerpts: list[Shown], model: Path | None, plan: BenchPlan, output: Output
) -> dict[str, Any]:
    """Print the figures, and save the baseline and the report; return the baseline's content."""
    from nacli.api import load_model
    from nacli.bench.gate import make_baseline, save_baseline
    from nacli.bench.machine import describe
    from nacli.bench.table import csv_table, text_table, to_json

    loaded = load_model(model)
    machine = describe(loaded.digest.hex(), plan.metrics, plan.peers)
    if output.as_json:
        click.echo(json.dumps(to_json(rows, machine), indent=2))
    else:
        click.echo(csv_table(rows) if output.as_csv else text_table(rows), nl=not output.as_csv)
    baseline = make_baseline(rows, machine)
    if output.save:
        save_baseline(output.save, baseline, output.force)
    if output.report:
        from nacli.bench.report import save_report

        save_report(output.report, rows, excerpts, machine, loaded, output.force)
    return baseline


def compare_with_baseline(
    expected: dict[str, Any], actual: dict[str, Any], tolerances: Tolerances, golden: bool
) -> None:
    """Print the changes on stderr. Raises `GateFailed` if a figure is worse than allowed."""
    from nacli.bench.gate import compare, compare_golden, summary

    changes = compare(expected, actual, tolerances)
    click.echo(summary(changes), err=True)
    differing = compare_golden(expected, actual) if golden else []
    for line in differing:
        click.echo(f"differs {line}", err=True)
    missing = sum(change.missing for change in changes)
    worse = sum(change.fails for change in changes) - missing
    if worse or missing or differing:
        gone = f", {missing} are missing" if missing else ""
        files = f", {len(differing)} hashes differ" if golden else ""
        total = len(changes)
        raise GateFailed(f"{worse} of {total} figures are worse than the baseline{gone}{files}")
