"""The commands that convert: they parse and call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from nacli.cli.help import examples
from nacli.cli.jobs import Naming, is_folder, names_folder, plan, refuse_report
from nacli.cli.kinds import FiniteRange, PacketLength, take_bitrate
from nacli.cli.paths import PATH, complete_folders
from nacli.cli.running import Manner, run_jobs
from nacli.cli.tags import tagging
from nacli.encoder.settings import EFFORTS
from nacli.files.names import AUDIO_EXTENSIONS

if TYPE_CHECKING:
    from nacli.jobs.task import Options

INPUTS = click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="INPUT...")
CONVERSION = (
    click.option(
        "-o",
        "--output",
        type=PATH,
        metavar="OUT",
        help="The output goes to this file or folder; - is stdout.",
    ),
    click.option(
        "-c", "--stdout", "to_stdout", is_flag=True, help="The output goes to stdout, as with -o -."
    ),
    click.option(
        "--output-dir",
        metavar="DIR",
        shell_complete=complete_folders,
        help="Outputs go to this folder, which is made if it is missing.",
    ),
    click.option(
        "-r",
        "--recursive",
        is_flag=True,
        help="Inputs may be folders, which are searched at any depth.",
    ),
    click.option(
        "-j",
        "--jobs",
        "workers",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        metavar="N",
        help="N files are converted at a time and share the cores; 0 means one file per core.",
    ),
    click.option(
        "--skip-existing", is_flag=True, help="Outputs that exist are left, without an error."
    ),
    click.option(
        "--delete-input/--keep",
        "--rm/-k",
        "delete_input",
        help="An input is deleted after its whole output was read back from the disk; by default "
        "it is kept.",
    ),
    click.option(
        "--report",
        type=PATH,
        metavar="FILE",
        help="The result of every file is written to this file as JSON.",
    ),
    click.option("-f", "--force", is_flag=True, help="Existing outputs are replaced."),
    click.option(
        "-q", "--quiet", "--silent", "silent", is_flag=True, help="Only errors are shown."
    ),
    click.option(
        "--model",
        type=PATH,
        metavar="PATH",
        help="This checkpoint (.safetensors) replaces the built-in one.",
    ),
)

ENDINGS = {"wav": (".wav",), "flac": (".flac",), "ogg": (".ogg",), "aiff": (".aiff", ".aif")}
"""What --to takes, and how the names of such files end."""
BITS = ("8", "16", "24", "32", "32f")
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
            "make_folders": self.output_dir is not None
            or self.recursive
            or names_folder(self.output),
        }

    def run(self, options: Options, wanted: Collection[str], naming: Naming) -> None:
        """Plan and run; `wanted` are the extensions to look for in folders."""
        planned = plan(
            self.inputs,
            self.output,
            self.output_dir,
            self.recursive,
            wanted,
            naming,
            self.skip_existing,
        )
        refuse_report(self.report, planned.jobs)
        many = self.recursive or len(self.inputs) > 1
        unrecognised = {} if naming.decodes else planned.unrecognised
        manner = Manner(self.workers, self.silent, many, self.report, self.force, unrecognised)
        run_jobs(planned.jobs, options, manner)


def conversion(function: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments of `Conversion`, and hand them to the command as one."""

    @wraps(function)
    def command(**values: Any) -> None:
        if values.pop("to_stdout"):
            if values["output"] not in (None, "-"):
                raise click.UsageError("-o or -c, not both")
            values["output"] = "-"
        shared = {field.name: values.pop(field.name) for field in fields(Conversion)}
        function(Conversion(**shared), **values)

    for decorate in (*reversed(CONVERSION), INPUTS):
        command = decorate(command)
    return command


@click.command(
    epilog=examples(
        "nacli encode talk.wav",
        "nacli encode --bitrate 3 talk.wav -o small.nac",
        "nacli encode -r takes --output-dir archive -j 0",
        "ffmpeg -v error -i film.mp4 -f wav - | nacli encode - -o film.nac",
    )
)
@conversion
@click.option(
    "--keep-extension",
    is_flag=True,
    help="Outputs keep the extension of their input: talk.wav becomes talk.wav.nac.",
)
@click.option(
    "--bitrate",
    callback=take_bitrate,
    metavar="KBPS",
    help="The whole file, with all channels, has this bitrate: 1.5 to 24.  "
    "[default: 6 mono, 10 stereo]",
)
@click.option(
    "--quality",
    type=FiniteRange(0, 10),
    metavar="Q",
    help="The quality is constant instead of the bitrate; at 5, speech is as good as at 6 kbps.",
)
@click.option(
    "--effort",
    type=click.IntRange(0, len(EFFORTS) - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="0 is fast; 2 is slow and sounds better at the same size.",
)
@click.option("--fast", is_flag=True, help="This is the same as --effort 0.")
@click.option("--best", is_flag=True, help="This is the same as --effort 2.")
@click.option(
    "--packet-ms",
    type=PacketLength(20, 10_000),
    default=2000,
    show_default=True,
    metavar="MS",
    help="A packet has this length, rounded down to frames of 13.3 ms; short packets cost bits.",
)
@click.option("-V", "--verify", is_flag=True, help="Every packet is read back and checked.")
@click.option("--raw", is_flag=True, help="The input has samples and no header.")
@click.option(
    "--rate", type=click.IntRange(1), metavar="HZ", help="The --raw input has this sample rate."
)
@click.option(
    "--channels",
    type=click.IntRange(1),
    metavar="N",
    help="The --raw input has this number of channels.  [default: 1]",
)
@click.option(
    "--format",
    "raw_format",
    type=RAW_FORMAT,
    help="The --raw input has this sample format, little-endian.  [default: s16]",
)
@tagging
@click.option("--no-tags", is_flag=True, help="The input's tags and picture are left out.")
def encode(
    shared: Conversion,
    keep_extension: bool,
    bitrate: float | None,
    quality: float | None,
    effort: int,
    fast: bool,
    best: bool,
    packet_ms: int,
    verify: bool,
    raw: bool,
    rate: int | None,
    channels: int | None,
    raw_format: str | None,
    tags: tuple[str, ...],
    picture: str | None,
    no_tags: bool,
) -> None:
    """This command encodes audio as .nac files.

    The file talk.wav becomes talk.nac. WAV, FLAC, OGG, MP3, AIFF and all other formats that
    libsndfile reads are accepted.
    """
    if raw != (rate is not None) or (not raw and (channels or raw_format)):
        raise click.UsageError("--raw needs --rate, and may have --channels and --format")
    if bitrate is not None and quality is not None:
        raise click.UsageError("--bitrate or --quality, not both")
    from nacli.encoder.settings import EncoderSettings
    from nacli.jobs.task import EncodeOptions

    options = EncodeOptions(
        settings=EncoderSettings(
            bitrate,
            quality,
            chosen_effort(effort, fast, best),
            packet_frames(packet_ms),
            tags=tags,
        ),
        picture=picture,
        keep_tags=not no_tags,
        verify=verify,
        raw_rate=rate,
        raw_channels=channels or 1,
        raw_format=raw_format or "s16",
        **shared.options(),
    )
    shared.run(options, AUDIO_EXTENSIONS, Naming(".nac", keep=keep_extension))


def chosen_effort(effort: int, fast: bool, best: bool) -> int:
    """The effort that one of three options names; a usage error for several of them."""
    source = click.get_current_context().get_parameter_source("effort")
    if [source is not ParameterSource.DEFAULT, fast, best].count(True) > 1:
        raise click.UsageError("only one of --effort, --fast and --best")
    return 0 if fast else len(EFFORTS) - 1 if best else effort


@click.command(
    epilog=examples(
        "nacli decode talk.nac",
        "nacli decode talk.nac -o talk.flac",
        "nacli decode talk.nac --start 1:23.5 --end 2:00 -o part.wav",
        "nacli decode talk.nac -o - | aplay",
    )
)
@conversion
@click.option(
    "--to",
    "container",
    type=click.Choice(list(ENDINGS)),
    help="Outputs are files of this format, whose names end with it.  [default: wav]",
)
@click.option(
    "--bits",
    type=click.Choice(BITS),
    help="Outputs have samples of this many bits; 32f are floats.  [default: the original's]",
)
@click.option(
    "--start",
    default="0",
    metavar="TIME",
    help="The decoded part begins here: 83.5, 1:23.5, 1:02:03 or 48000smp.",
)
@click.option(
    "--end",
    "stop",
    metavar="TIME",
    help="The decoded part ends here, in the same notation.  [default: the end]",
)
@click.option("--strict", is_flag=True, help="Damage ends the decoding; it is not concealed.")
@click.option("--no-tags", is_flag=True, help="The output gets neither tags nor a picture.")
@click.option("--raw", is_flag=True, help="The output has samples and no header.")
@click.option(
    "--format",
    "raw_format",
    type=RAW_FORMAT,
    help="The --raw output has this sample format, little-endian.  [default: the original's]",
)
def decode(
    shared: Conversion,
    container: str | None,
    bits: str | None,
    start: str,
    stop: str | None,
    strict: bool,
    no_tags: bool,
    raw: bool,
    raw_format: str | None,
) -> None:
    """This command decodes .nac files to audio.

    The file talk.nac becomes talk.wav. With -o, the extension chooses the format: .wav, .flac,
    .ogg or .aiff.
    """
    check_part(start, stop)
    if raw_format and not raw:
        raise click.UsageError("--format is for --raw")
    if raw and (container or bits):
        raise click.UsageError("--to and --bits are for outputs with a header, without --raw")
    if container:
        check_container(container, shared)
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
        bits=bits,
        **shared.options(),
    )
    extension = ".raw" if raw else f".{container or 'wav'}"
    shared.run(options, (".nac",), Naming(extension, decodes=True, chosen=raw or bool(container)))


def check_container(container: str, shared: Conversion) -> None:
    """A usage error where --to is at odds with the output."""
    output = shared.output
    if output is None and shared.output_dir is None and "-" in shared.inputs:
        output = "-"
    if output is None or is_folder(output):
        return
    if output == "-":
        if container != "wav":
            raise click.UsageError("stdout gets WAV, or samples with --raw; --to is for files")
    elif not output.lower().endswith(ENDINGS[container]):
        raise click.UsageError(f"--to {container} is at odds with -o {output}")


def packet_frames(milliseconds: int) -> int:
    """Whole frames of a packet."""
    from nacli.config import ModelConfig

    return int(milliseconds * ModelConfig().frame_rate / 1000)


def check_part(start: str, stop: str | None) -> None:
    """A usage error for positions that are none, and for a part that ends before it starts."""
    from nacli.decoder.position import parse_position

    positions = []
    for option, text in (("--start", start), ("--end", stop or "0")):
        try:
            positions.append(parse_position(text))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=option) from error
    first, last = positions
    if stop is not None and first.in_samples == last.in_samples and last.value <= first.value:
        raise click.UsageError(f"--end {stop} is not after --start {start}")
