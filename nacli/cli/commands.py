"""The commands that convert: they parse and call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from nacli.cli.jobs import plan, refuse_report
from nacli.cli.running import Manner, run_jobs
from nacli.cli.tags import check_tags
from nacli.files.streams import AUDIO_EXTENSIONS

if TYPE_CHECKING:
    from nacli.jobs.task import Options

INPUTS = click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
CONVERSION = (
    click.option("-o", "--output", metavar="OUT", help="Output file, folder, or - for stdout."),
    click.option("--output-dir", metavar="DIR", help="Folder for outputs, made if need be."),
    click.option(
        "-r", "--recursive", is_flag=True, help="Take the files in folders, at any depth."
    ),
    click.option(
        "-j",
        "--jobs",
        "workers",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        metavar="N",
        help="Files at a time, sharing the cores; 0: one per core.",
    ),
    click.option("--skip-existing", is_flag=True, help="Leave outputs that exist, without error."),
    click.option("--delete-input", is_flag=True, help="Delete inputs whose output was read back."),
    click.option("--report", metavar="FILE", help="Write what became of every file, as JSON."),
    click.option("-f", "--force", is_flag=True, help="Replace existing files."),
    click.option("--silent", is_flag=True, help="Say nothing but errors."),
    click.option("--model", metavar="PATH", help="Another checkpoint (.safetensors)."),
)

RAW_FORMAT = click.Choice(["s8", "u8", "s16", "s24", "s32", "f32", "f64"])  # little-endian


@dataclass(frozen=True)
class Conversion:
    """The arguments that encode and decode share."""

    inputs: tuple[str, ...]
    output: str | None
    output_dir: str | None
    recursive: bool
    workers: int
    skip_existing: bool
    delete_input: bool
    report: str | None
    force: bool
    silent: bool
    model: str | None

    def options(self) -> dict[str, Any]:
        """Those of `task.Options`."""
        return {
            "model": self.model,
            "force": self.force,
            "skip_existing": self.skip_existing,
            "delete_input": self.delete_input,
            "make_folders": self.output_dir is not None or self.recursive,
        }

    def run(self, options: Options, wanted: Collection[str], extension: str) -> None:
        """Plan and run; `wanted` are the extensions to look for in folders."""
        jobs = plan(self.inputs, self.output, self.output_dir, self.recursive, wanted, extension)
        refuse_report(self.report, jobs)
        many = self.recursive or len(self.inputs) > 1
        run_jobs(jobs, options, Manner(self.workers, self.silent, many, self.report, self.force))


def conversion(function: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments of `Conversion`, and hand them to the command as one."""

    @wraps(function)
    def command(**values: Any) -> None:
        shared = {field.name: values.pop(field.name) for field in fields(Conversion)}
        function(Conversion(**shared), **values)

    for decorate in (*reversed(CONVERSION), INPUTS):
        command = decorate(command)
    return command


@click.command()
@conversion
@click.option(
    "--bitrate",
    type=float,
    metavar="KBPS",
    help="Of the whole file, all channels: 1.5 to 24.  [default: 6 mono, 10 stereo]",
)
@click.option(
    "--quality",
    type=click.FloatRange(0, 10),
    metavar="Q",
    help="0 to 10 instead of a bitrate: bytes go where they are needed.",
)
@click.option(
    "--effort",
    type=click.IntRange(0, 2),
    default=1,
    show_default=True,
    metavar="N",
    help="0 (fast) to 2 (slow, better at the same size).",
)
@click.option(
    "--packet-ms",
    type=click.IntRange(20, 10_000),
    default=2000,
    show_default=True,
    metavar="MS",
    help="Packet length, rounded down to frames of 13.3 ms; short ones cost bits.",
)
@click.option("-V", "--verify", is_flag=True, help="Read every packet back as it is written.")
@click.option("--raw", is_flag=True, help="The input is samples without a header.")
@click.option("--rate", type=int, metavar="HZ", help="Sample rate of --raw.")
@click.option("--channels", type=int, metavar="N", help="Channels of --raw.  [default: 1]")
@click.option("--format", "raw_format", type=RAW_FORMAT, help="Of --raw.  [default: s16]")
@click.option(
    "--tag",
    "tags",
    multiple=True,
    callback=check_tags,
    metavar="NAME=VALUE",
    help="Set a tag in place of the input's; repeat it for more. NAME= removes one.",
)
@click.option("--no-tags", is_flag=True, help="Leave out the input's tags and picture.")
def encode(
    shared: Conversion,
    bitrate: float | None,
    quality: float | None,
    effort: int,
    packet_ms: int,
    verify: bool,
    raw: bool,
    rate: int | None,
    channels: int | None,
    raw_format: str | None,
    tags: tuple[str, ...],
    no_tags: bool,
) -> None:
    """Compress audio: x.wav (FLAC, OGG, AIFF, MP3...) becomes x.nac."""
    if raw != (rate is not None) or (not raw and (channels or raw_format)):
        raise click.UsageError("--raw needs --rate, and may have --channels and --format")
    if bitrate is not None and quality is not None:
        raise click.UsageError("--bitrate or --quality, not both")
    from nacli.encoder.settings import EncoderSettings
    from nacli.jobs.task import EncodeOptions

    options = EncodeOptions(
        settings=EncoderSettings(bitrate, quality, effort, packet_frames(packet_ms), tags=tags),
        keep_tags=not no_tags,
        verify=verify,
        raw_rate=rate,
        raw_channels=channels or 1,
        raw_format=raw_format or "s16",
        **shared.options(),
    )
    shared.run(options, AUDIO_EXTENSIONS, ".nac")


@click.command()
@conversion
@click.option("--start", default="0", metavar="TIME", help="83.5, 1:23.5, 1:02:03 or 48000smp.")
@click.option("--end", "stop", metavar="TIME", help="Likewise.  [default: the end]")
@click.option("--strict", is_flag=True, help="Stop at damage instead of concealing it.")
@click.option("--no-tags", is_flag=True, help="Write neither tags nor picture.")
@click.option("--raw", is_flag=True, help="Write samples without a header.")
@click.option(
    "--format", "raw_format", type=RAW_FORMAT, help="Of --raw.  [default: the original's]"
)
def decode(
    shared: Conversion,
    start: str,
    stop: str | None,
    strict: bool,
    no_tags: bool,
    raw: bool,
    raw_format: str | None,
) -> None:
    """Decompress: x.nac becomes x.wav, or what -o names (.wav .flac .ogg .aiff)."""
    check_part(start, stop)
    if raw_format and not raw:
        raise click.UsageError("--format is for --raw")
    if shared.delete_input and (raw or (start, stop) != ("0", None)):
        raise click.UsageError("--delete-input is for whole files, with their header")
    from nacli.jobs.task import DecodeOptions

    options = DecodeOptions(
        start=start,
        stop=stop,
        strict=strict,
        keep_tags=not no_tags,
        raw=raw,
        raw_format=raw_format,
        **shared.options(),
    )
    shared.run(options, (".nac",), ".raw" if raw else ".wav")


def packet_frames(milliseconds: int) -> int:
    """Whole frames of a packet."""
    from nacli.config import ModelConfig

    return int(milliseconds * ModelConfig().frame_rate / 1000)


def check_part(start: str, stop: str | None) -> None:
    """A usage error for positions that are none."""
    from nacli.decoder.position import parse_position

    for option, text in (("--start", start), ("--end", stop or "0")):
        try:
            parse_position(text)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=option) from error
