"""`nacli decode`: the options, and what they may not be combined with."""

from __future__ import annotations

import click

from nacli.cli.conversion import RAW_FORMAT, Conversion, conversion
from nacli.cli.help import examples
from nacli.cli.planning import Naming, is_folder

CONTAINER_EXTENSIONS = {
    "wav": (".wav",),
    "flac": (".flac",),
    "ogg": (".ogg",),
    "aiff": (".aiff", ".aif"),
}
"""The values of --to, and the extensions of such files."""
BITS = ("8", "16", "24", "32", "32f")


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
    type=click.Choice(list(CONTAINER_EXTENSIONS)),
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
    _check_part(start, stop)
    if raw_format and not raw:
        raise click.UsageError("--format is for --raw")
    if raw and (container or bits):
        raise click.UsageError("--to and --bits are for outputs with a header, without --raw")
    if container:
        _check_container(container, shared)
    if shared.delete_input and (raw or (start, stop) != ("0", None)):
        raise click.UsageError("--delete-input needs a whole recording as output, with a header")
    from nacli.jobs.options import DecodeOptions

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


def _check_container(container: str, shared: Conversion) -> None:
    """Raise a usage error where --to contradicts the name of the output."""
    output = shared.output
    if output is None and shared.output_dir is None and "-" in shared.inputs:
        output = "-"
    if output is None or is_folder(output):
        return
    if output == "-":
        if container != "wav":
            raise click.UsageError("stdout gets WAV, or samples with --raw; --to is for files")
    elif not output.lower().endswith(CONTAINER_EXTENSIONS[container]):
        raise click.UsageError(f"--to {container} contradicts -o {output}")


def _check_part(start: str, stop: str | None) -> None:
    """Raise a usage error for an invalid position, or a part that ends before it starts."""
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
