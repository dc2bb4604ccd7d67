"""`nacli bench`: the options, and the metrics and codecs that they choose."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nacli.cli.bar import has_bars
from nacli.cli.bench_run import Output, compare_with_baseline, measure, publish
from nacli.cli.help import examples
from nacli.cli.option_types import FiniteRange, parse_bitrate
from nacli.cli.paths import PATH, PATH_OBJECT, complete_folders
from nacli.errors import NacliError
from nacli.files.outputs import check_output

if TYPE_CHECKING:
    from nacli.bench.peers import Peer
    from nacli.bench.quality import Metric


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
        raise click.UsageError("--json and --csv exclude each other")
    from nacli.bench.clips import find_clips
    from nacli.bench.gate import load_baseline, read_tolerances
    from nacli.bench.measure import BenchPlan

    tolerances = _parsed("--tolerance", read_tolerances, tolerance)
    expected = load_baseline(baseline) if baseline else None
    for path in filter(None, (save, report)):
        check_output(path, force)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    rates = _parsed("--bitrate", lambda text: [*map(parse_bitrate, text.split(","))], bitrate)
    plan = BenchPlan(rates, _metrics(metrics), _peers(peer, peer_cmd), keep, _say)
    if report:
        _check_matplotlib()
    output = Output(as_json, as_csv, save, report, force)
    shows_bar = not silent and has_bars()
    rows, excerpts = measure(find_clips(clips), seconds, mono, model, plan, report, shows_bar)
    actual = publish(rows, excerpts, model, plan, output)
    if expected is not None:
        compare_with_baseline(expected, actual, tolerances, golden)


def _parsed(option: str, parse: Callable[[str], Any], text: str) -> Any:
    """Return the value of an option; a `ValueError` becomes a usage error."""
    try:
        return parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"nacli: {line}", file=sys.stderr)  # print would break the progress bar


def _metrics(names: str | None) -> tuple[Metric, ...]:
    """Return the named metrics, by default all that are installed."""
    from nacli.bench.quality import BY_NAME, METRICS

    if names is None:
        missing = {m.package for m in METRICS if not m.installed}
        if missing:
            packages = ", ".join(sorted(map(str, missing)))
            _say(f"not installed: {packages} (pip install 'nacli[bench]')")
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
    """Return the named codecs whose programs are installed; print a line about the others."""
    from nacli.bench.peers import PEERS, custom_peer

    chosen = []
    for name in names.split(",") if names else ():
        if name not in PEERS:
            raise click.BadParameter(f"{name} (there are {', '.join(PEERS)})", param_hint="--peer")
        chosen.append(PEERS[name])
    chosen += [_parsed("--peer-cmd", custom_peer, command) for command in commands]
    for peer in chosen:
        if peer.missing:
            _say(f"{peer.name} is left out: {' and '.join(peer.missing)} not on PATH")
    return [peer for peer in chosen if not peer.missing]


def _check_matplotlib() -> None:
    try:
        import nacli.bench.report  # noqa: F401
    except ImportError as error:
        raise NacliError("--report needs matplotlib (pip install 'nacli[bench]')") from error
