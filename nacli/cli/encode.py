"""`nacli encode`: the options, and the settings that they make."""

from __future__ import annotations

import click
from click.core import ParameterSource

from nacli.cli.conversion import RAW_FORMAT, Conversion, conversion
from nacli.cli.help import examples
from nacli.cli.option_types import FiniteRange, PacketLength, take_bitrate
from nacli.cli.planning import Naming
from nacli.cli.tags import tagging
from nacli.encoder.settings import EFFORTS
from nacli.files.names import AUDIO_EXTENSIONS


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
    help="All channels together have this bitrate, without header and tags: 1.5 to 24.  "
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
        raise click.UsageError("--rate, --channels and --format are for --raw, which needs --rate")
    if bitrate is not None and quality is not None:
        raise click.UsageError("--bitrate and --quality exclude each other")
    from nacli.encoder.settings import EncoderSettings
    from nacli.jobs.options import EncodeOptions

    options = EncodeOptions(
        settings=EncoderSettings(
            bitrate,
            quality,
            _chosen_effort(effort, fast, best),
            _packet_frames(packet_ms),
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


def _chosen_effort(effort: int, fast: bool, best: bool) -> int:
    """Return the effort of --effort, --fast or --best. Several of them are a usage error."""
    source = click.get_current_context().get_parameter_source("effort")
    if [source is not ParameterSource.DEFAULT, fast, best].count(True) > 1:
        raise click.UsageError("--effort, --fast and --best exclude each other")
    return 0 if fast else len(EFFORTS) - 1 if best else effort


def _packet_frames(milliseconds: int) -> int:
    """Return the length of a packet in whole frames."""
    from nacli.config import ModelConfig

    return int(milliseconds * ModelConfig().frame_rate / 1000)
