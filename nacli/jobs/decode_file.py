"""One .nac file to an audio file, block by block, in bounded memory. "-" is stdin or stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from nacli.audio import AudioInfo, AudioWriter, check_depth, is_mask
from nacli.checkpoint import Model
from nacli.decoder.stream import Decoder
from nacli.decoder.timeline import Gap
from nacli.files.inputs import blocks_of, open_input, reading
from nacli.files.live import finishing_on_signals
from nacli.files.names import input_name, naming
from nacli.files.outputs import private_mode
from nacli.format import find_packet
from nacli.jobs.progress import OnProgress, Progress
from nacli.jobs.source_file import SourceFile, check_target
from nacli.types import Pcm

if TYPE_CHECKING:
    from nacli.jobs.options import DecodeOptions

OnGap = Callable[[Gap], None]
"""A function that is called with every gap as soon as it is known."""


def decode_file(
    source: str,
    target: str,
    model: Model,
    options: DecodeOptions,
    on_progress: OnProgress,
    on_gap: OnGap,
) -> Progress:
    """Decompress a .nac file to an audio file, whose extension chooses the container and which gets
    the time of the .nac file.

    With `options.delete_input`, the input is deleted if all of it was decoded and after the output
    was read back from the disk. With `options.strict`, damage is an error and `on_gap` is unused.

    Raises:
        UnsupportedAudio: the container cannot hold the sample format of the options.
        NacliError: the errors of `Decoder`, `AudioWriter` and `SourceFile`.
    """
    check_target(source, target, options.force)
    source_file = SourceFile(source, target, options.delete_input)
    progress = Progress(1, None)

    def conceal(gap: Gap) -> None:
        progress.gaps += 1
        on_gap(gap)

    on_damage = None if options.strict else conceal
    decoder = Decoder(model, start=options.start, stop=options.stop, on_gap=on_damage)
    blocks = _decoded_blocks(source, decoder, progress)
    first = next(blocks)  # by then the header is known
    info = _output_info(decoder, options, target)
    progress.sample_rate, progress.total = info.sample_rate, decoder.samples
    mode = private_mode(source)
    with (
        finishing_on_signals(source),
        AudioWriter(target, info, options.force, options.raw, mode) as writer,
    ):
        progress.dropped = writer.dropped
        _write_blocks(writer, chain([first], blocks), progress, on_progress)
    progress.kbps = decoder.kbps
    complete = decoder.takes_all and not progress.gaps
    source_file.finish(lambda: _verify_audio(target, writer.info, progress.samples), complete)
    return progress


def _verify_audio(path: str, expected: AudioInfo, samples: int) -> None:
    from nacli.jobs.verify import verify_audio  # a reader of audio files, which few commands need

    verify_audio(path, expected, samples)


def _write_blocks(
    writer: AudioWriter, blocks: Iterable[Pcm], progress: Progress, on_progress: OnProgress
) -> None:
    for pcm in blocks:
        writer.write(pcm)
        progress.samples += len(pcm)
        on_progress(progress)


def _decoded_blocks(source: str, decoder: Decoder, progress: Progress) -> Iterator[Pcm]:
    """Yield samples as the bytes of `source` complete them, the last when it has ended well."""
    with naming(source):
        for data in _needed_bytes(source, decoder):
            progress.nac_bytes += len(data)
            yield from decoder.blocks(data)
        yield from decoder.last_blocks()


def _needed_bytes(source: str, decoder: Decoder) -> Iterator[bytes]:
    """Yield the bytes of a .nac file that the decoder needs: a file is sought to the first packet
    of the requested part, and read no further than its last."""
    with open_input(source) as stream:
        for data in blocks_of(stream, input_name(source)):
            knew_header = decoder.header is not None
            yield data
            if decoder.done:
                return
            if not knew_header and decoder.first_packet and source != "-" and stream.seekable():
                with reading(input_name(source)):
                    _seek_first_packet(stream, decoder)


def _seek_first_packet(stream: BinaryIO, decoder: Decoder) -> None:
    """Move on to where decoding begins, if that is further than what has been read."""
    assert decoder.header is not None
    here = stream.tell()
    packet, there = find_packet(
        stream, decoder.header.stream, decoder.packets_at, decoder.first_packet
    )
    stream.seek(max(here, there))
    if there > here:
        decoder.jump(packet)


def _output_info(decoder: Decoder, options: DecodeOptions, target: str) -> AudioInfo:
    """Return what the output is to hold. Raises `UnsupportedAudio` where its container cannot."""
    header = decoder.header
    assert header is not None, "there are no samples before the header"
    stream = header.stream
    chosen = options.sample_format()
    info = AudioInfo(
        stream.sample_rate,
        stream.channels,
        chosen or stream.sample_format.name,
        decoder.samples,
    )
    if options.keep_tags and not options.raw:
        info = replace(info, tags=header.tags, picture=header.picture)
    else:
        info = replace(info, tags=tuple(filter(is_mask, header.tags)))
    if chosen and not options.raw:
        check_depth(target, info)
    return info
