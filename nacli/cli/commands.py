"""The commands: they parse, call and print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from nacli.cli.group import report
from nacli.cli.jobs import Job, plan, run_jobs
from nacli.errors import NacliError
from nacli.files import naming

if TYPE_CHECKING:
    from nacli.convert import Progress, Watch

INPUTS = click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
CONVERSION = (
    click.option("-o", "--output", metavar="OUT", help="Output file, folder, or - for stdout."),
    click.option("-f", "--force", is_flag=True, help="Replace existing files."),
    click.option("--silent", is_flag=True, help="Say nothing but errors."),
    click.option("--model", metavar="PATH", help="Another checkpoint (.safetensors)."),
)

Command = Callable[..., None]


def conversion(function: Command) -> Command:
    """Add the arguments that encode and decode share."""
    for decorate in (*reversed(CONVERSION), INPUTS):
        function = decorate(function)
    return function


@click.command()
@conversion
@click.option(
    "--bitrate",
    type=float,
    metavar="KBPS",
    help="Of the whole file, all channels: 1.5 to 24.  [default: 6 mono, 10 stereo]",
)
@click.option(
    "--packet-ms",
    type=click.IntRange(20, 10_000),
    default=1000,
    show_default=True,
    metavar="MS",
    help="Packet length, rounded down to frames of 13.3 ms; short ones cost bits.",
)
@click.option("--embed", is_flag=True, help="Store codebooks and entropy tables in the file.")
def encode(
    inputs: tuple[str, ...],
    output: str | None,
    force: bool,
    silent: bool,
    model: str | None,
    bitrate: float | None,
    packet_ms: int,
    embed: bool,
) -> None:
    """Compress audio: x.wav (FLAC, OGG, AIFF, MP3...) becomes x.nac."""
    jobs = plan(inputs, output, ".nac")
    from nacli.codec import load_model
    from nacli.convert import encode_file

    loaded = load_model(model)

    def convert(job: Job, watch: Watch) -> Progress:
        return encode_file(
            job.source,
            job.target,
            loaded,
            watch=watch,
            bitrate=bitrate,
            packet_frames=int(packet_ms * loaded.config.frame_rate / 1000),
            embed=embed,
            force=force,
        )

    run_jobs(jobs, convert, silent)


@click.command()
@conversion
def decode(
    inputs: tuple[str, ...], output: str | None, force: bool, silent: bool, model: str | None
) -> None:
    """Decompress: x.nac becomes x.wav, or what -o names (.wav .flac .ogg .aiff)."""
    jobs = plan(inputs, output, ".wav")
    from nacli.codec import load_model
    from nacli.convert import decode_file

    loaded = load_model(model)

    def convert(job: Job, watch: Watch) -> Progress:
        return decode_file(job.source, job.target, loaded, watch=watch, force=force)

    run_jobs(jobs, convert, silent)


@click.command()
@INPUTS
@click.option("--json", "as_json", is_flag=True, help="One object, or a list for several files.")
def info(inputs: tuple[str, ...], as_json: bool) -> None:
    """Show what .nac files hold; damage is reported, not repaired."""
    from nacli.cli.table import table
    from nacli.info import read_info, to_json

    found, codes = [], []
    for path in inputs:
        try:
            with naming(path):
                found.append((path, read_info(path)))
        except NacliError as error:
            codes.append(report(error))
    if as_json:
        values = [{"file": path, **to_json(file)} for path, file in found]
        for value in [values] if len(inputs) > 1 else values:
            click.echo(json.dumps(value, indent=2))
    elif found:
        click.echo("\n\n".join(table(path, file) for path, file in found))
    if codes:
        sys.exit(codes[0])
