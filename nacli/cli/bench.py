"""`nacli bench`: parse, measure with a progress bar, print, and stand at the gate."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nacli.cli.bar import has_bars
from nacli.cli.help import examples
from nacli.cli.kinds import FiniteRange, parse_bitrate
from nacli.cli.paths import PATH, PATH_OBJECT, complete_folders
from nacli.errors import GateFailed, NacliError
from nacli.files.streams import check_output

if TYPE_CHECKING:
    from nacli.bench.gate import Tolerances
    from nacli.bench.measure import Plan, Row
    from nacli.bench.peers import Peer
    from nacli.bench.quality import Metric
    from nacli.bench.report_clips import Shown


@dataclass(frozen=True)
class Output:
    """Where the figures go besides the table."""

    as_json: bool
    as_csv: bool
    save: str | None
    report: str | None
    force: bool


@click.command(
    epilog=examples(
        "nacli bench clips --bitrate 3,6 --peer opus --report bench.html",
        "nacli bench clips --save baseline.json",
        "nacli bench clips --baseline baseline.json",
    )
)
@click.argument("clips", nargs=-1, required=True, type=PATH, metavar="FILE|FOLDER...")
@click.option(
    "--bitrate",
    default="1.5,3,6,12",
    show_default=True,
    metavar="KBPS,...",
    help="Every clip is encoded at each of these bitrates.",
)
@click.option(
    "--metrics",
    metavar="NAME,...",
    help="These metrics measure the quality.  [default: all that are installed]",
)
@click.option(
    "--peer",
    metavar="NAME,...",
    help="These codecs are measured as well: opus, vorbis, mp3, aac, codec2.",
)
@click.option(
    "--peer-cmd",
    multiple=True,
    metavar="TEXT",
    help="This codec is measured as well: 'NAME: ENCODE {in} {out} :: DECODE {in} {out}'; "
    "the commands may contain {kbps}.",
)
@click.option(
    "--seconds",
    type=FiniteRange(0.1),
    metavar="S",
    help="Only the first S seconds of each clip are used.",
)
@click.option("--mono", is_flag=True, help="The channels of each clip are averaged first.")
@click.option(
    "--model",
    type=PATH_OBJECT,
    metavar="PATH",
    help="This checkpoint (.safetensors) replaces the built-in one.",
)
@click.option("--json", "as_json", is_flag=True, help="The figures are printed as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="The figures are printed as CSV.")
@click.option(
    "--keep",
    type=PATH_OBJECT,
    metavar="FOLDER",
    shell_complete=complete_folders,
    help="The decoded clips are kept in this folder.",
)
@click.option(
    "--save", type=PATH, metavar="FILE", help="The figures are saved to this file as a baseline."
)
@click.option(
    "--baseline",
    type=PATH,
    metavar="FILE",
    help="The figures are compared with this baseline; the exit code is 15 if one is worse.",
)
@click.option(
    "--tolerance",
    default="1",
    metavar="TEXT",
    help="Figures may be worse by this much: 2 doubles all tolerances, mel=0.05,decoding=80% "
    "sets two of them.",
)
@click.option(
    "--golden", is_flag=True, help="Files and codes must equal those of the baseline exactly."
)
@click.option(
    "--report",
    type=PATH,
    metavar="FILE",
    help="An HTML page with tables, plots and players is written to this file.",
)
@click.option("-f", "--force", is_flag=True, help="Existing files are replaced.")
@click.option("-q", "--quiet", "--silent", "silent", is_flag=True, help="No progress bar is shown.")
def bench(
    clips: tuple[str, ...],
    bitrate: str,
    metrics: str | None,
    peer: str | None,
    peer_cmd: tuple[str, ...],
    seconds: float | None,
    mono: bool,
    model: Path | None,
    as_json: bool,
    as_csv: bool,
    keep: Path | None,
    save: str | None,
    baseline: str | None,
    tolerance: str,
    golden: bool,
    report: str | None,
    force: bool,
    silent: bool,
) -> None:
    """This command measures codecs on your clips.

    It encodes and decodes every clip with nacli, and with other codecs on request, and prints
    bitrate, speed, memory and quality. Folders are searched for audio files.
    """
    if golden and baseline is None:
        raise click.UsageError("--golden needs --baseline")
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    from nacli.bench.clips import find_clips
    from nacli.bench.gate import load_baseline, read_tolerances
    from nacli.bench.measure import Plan

    tolerances = _parsed("--tolerance", read_tolerances, tolerance)
    before = load_baseline(baseline) if baseline else None
    for path in filter(None, (save, report)):
        check_output(path, force)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    rates = _parsed("--bitrate", lambda text: [*map(parse_bitrate, text.split(","))], bitrate)
    plan = Plan(rates, _metrics(metrics), _peers(peer, peer_cmd), keep, _say)
    if report:
        _check_matplotlib()
    output = Output(as_json, as_csv, save, report, force)
    shown_bar = not silent and has_bars()
    rows, shown = _measure(find_clips(clips), seconds, mono, model, plan, output, shown_bar)
    now = _publish(rows, shown, model, plan, output)
    if before is not None:
        _gate(before, now, tolerances, golden)


def _parsed(option: str, parse: Callable[[str], Any], text: str) -> Any:
    """An option's value; a `ValueError` is a usage error."""
    try:
        return parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"nacli: {line}", file=sys.stderr)  # a plain print would break the progress bar


def _metrics(names: str | None) -> tuple[Metric, ...]:
    """The metrics named, else all that are installed."""
    from nacli.bench.quality import BY_NAME, METRICS

    if names is None:
        missing = {m.package for m in METRICS if not m.installed}
        if missing:
            _say(f"no {', '.join(sorted(map(str, missing)))} here (pip install 'nacli[bench]')")
        return tuple(metric for metric in METRICS if metric.installed)
    for name in (chosen := names.split(",")):
        if name not in BY_NAME:
            raise click.BadParameter(
                f"{name} (there are {', '.join(BY_NAME)})", param_hint="--metrics"
            )
        if not BY_NAME[name].installed:
            raise NacliError(f"{name} needs {BY_NAME[name].package} (pip install 'nacli[bench]')")
    return tuple(BY_NAME[name] for name in chosen)


def _peers(names: str | None, commands: tuple[str, ...]) -> list[Peer]:
    """The peers whose tools are there; a line about each other."""
    from nacli.bench.peers import PEERS, custom_peer

    chosen = []
    for name in names.split(",") if names else ():
        if name not in PEERS:
            raise click.BadParameter(f"{name} (there are {', '.join(PEERS)})", param_hint="--peer")
        chosen.append(PEERS[name])
    chosen += [_parsed("--peer-cmd", custom_peer, command) for command in commands]
    for peer in chosen:
        if peer.missing:
            _say(f"no {peer.name}: {' and '.join(peer.missing)} not on PATH")
    return [peer for peer in chosen if not peer.missing]


def _check_matplotlib() -> None:
    try:
        import nacli.bench.report  # noqa: F401
    except ImportError as error:
        raise NacliError("--report needs matplotlib (pip install 'nacli[bench]')") from error


def _measure(
    paths: list[Path],
    seconds: float | None,
    mono: bool,
    model: Path | None,
    plan: Plan,
    output: Output,
    shown_bar: bool,
) -> tuple[list[Row], list[Shown]]:
    """All rows, and the clips that the report will show."""
    from tqdm import tqdm

    from nacli.bench.clips import read_clip
    from nacli.bench.measure import run_clip
    from nacli.bench.subject import Isolated

    rows: list[Row] = []
    shown: list[Shown] = []
    total = plan.steps(len(paths))
    with (
        tqdm(total=total, unit="run", leave=False, disable=not shown_bar) as bar,
        Isolated(model) as subject,
    ):
        plan.watch = bar.update
        for path in paths:
            clip = read_clip(path, seconds, mono)
            versions = run_clip(clip, subject, plan)
            rows += [version.row for version in versions]
            if output.report:
                from nacli.bench.report import MAX_CLIPS
                from nacli.bench.report_clips import excerpt

                if len(shown) < MAX_CLIPS:
                    shown.append(excerpt(clip, versions))
    return rows, shown


def _publish(
    rows: list[Row], shown: list[Shown], model: Path | None, plan: Plan, output: Output
) -> dict[str, Any]:
    """Print, save and draw; return what a baseline is compared with."""
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
    now = make_baseline(rows, machine)
    if output.save:
        save_baseline(output.save, now, output.force)
    if output.report:
        from nacli.bench.report import save_report

        save_report(output.report, rows, shown, machine, loaded, output.force)
    return now


def _gate(
    before: dict[str, Any], now: dict[str, Any], tolerances: Tolerances, golden: bool
) -> None:
    """Say on stderr what moved. Raises `GateFailed`."""
    from nacli.bench.gate import compare, compare_golden, summary

    changes = compare(before, now, tolerances)
    click.echo(summary(changes), err=True)
    differing = compare_golden(before, now) if golden else []
    for line in differing:
        click.echo(f"differs {line}", err=True)
    missing = sum(change.missing for change in changes)
    worse = sum(change.fails for change in changes) - missing
    if worse or missing or differing:
        gone = f", {missing} are missing" if missing else ""
        files = f", {len(differing)} hashes differ" if golden else ""
        total = len(changes)
        raise GateFailed(f"{worse} of {total} figures are worse than the baseline{gone}{files}")
