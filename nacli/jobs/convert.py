"""Files: audio to .nac and back, block by block, in bounded memory. "-" is stdin or stdout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO

from nacli.audio import AudioInfo, AudioReader, AudioWriter, check_depth, is_mask
from nacli.checkpoint import Model
from nacli.decoder.stream import Decoder
from nacli.decoder.timeline import Gap
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.errors import OutputExists, counted
from nacli.files.inputs import blocks_of, open_input, reading
from nacli.files.live import finishing_on_signals
from nacli.files.names import input_name, naming
from nacli.files.outputs import Output, atomic_output, check_output, private_mode
from nacli.format import (
    FRONT_COVER,
    MAX_PICTURE_BYTES,
    edit_tags,
    find_packet,
    fit_tags,
    pack_header,
    unpack_picture,
)
from nacli.jobs.source_file import Original
from nacli.jobs.verify import Verifier, verify_audio, verify_file
from nacli.types import Pcm

FILE_FRAMES = 600
"""Of a file, read at a time: with several packets at hand the Encoder uses two cores. A live pipe
is read packet by packet, so that nothing waits."""


@dataclass
class Progress:
    """How far a conversion has come. `expected` is the length in samples where it is known,
    `dropped` names tags and pictures that the output has no place for, `notes` are sentences about
    what is not as one would expect. `nac_bytes` are those of the whole .nac file."""

    sample_rate: int
    expected: int | None
    samples: int = 0
    nac_bytes: int = 0
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gaps: int = 0
    """Places where damage was concealed, or where the file ends too soon."""
    kbps: float = 0.0
    """Of the audio: packets and end record, without header, tags and picture. Set at the end; 0
    where there is no audio."""
    warnings: tuple[str, ...] = ()
    """Why the output may not hold all the sound of the input."""
    damaged: bool = False
    """Whether the audio that was encoded is damaged, and ends there or lacks some."""

    @property
    def seconds(self) -> float:
        """Audio converted so far."""
        return self.samples / self.sample_rate

    @property
    def expected_seconds(self) -> float | None:
        """The length where it is known."""
        return None if self.expected is None else self.expected / self.sample_rate


Watch = Callable[[Progress], None]
"""Called after every block."""


def encode_file(
    source: str,
    target: str,
    model: Model,
    settings: EncoderSettings,
    *,
    watch: Watch,
    keep_tags: bool = True,
    force: bool = False,
    verify: bool = False,
    delete_input: bool = False,
    raw: AudioInfo | None = None,
) -> Progress:
    """Compress an audio file to a .nac file, one packet at a time; the file keeps its time.

    The tags of `settings` replace the file's tags of the same names (see `edit_tags`), and its
    picture the file's own; `keep_tags` false leaves out the file's own
    tags and picture, but for a channel mask. `raw` says what the input is where it is samples
    without a header. `verify` reads every packet back as it is written; `delete_input` deletes the
    input when the output is on the disk and has been read back from there, and there is nothing in
    `warnings`.

    Raises the errors of `AudioReader`, `Encoder` and `atomic_output`; `Mismatch` where what is read
    back is not what was encoded, and then there is no output.
    """
    _check_target(source, target, force)
    original = Original(source, target, delete_input)
    with AudioReader(source, raw, keep_tags) as reader:
        info = _with_tags(reader.info, settings.tags, settings.picture)
        settings = replace(
            settings,
            sample_format=info.sample_format,
            tags=info.tags,
            picture=info.picture,
        )
        with naming(source):
            encoder = Encoder(
                model, info.sample_rate, info.channels, settings, samples=info.samples
            )
        progress = Progress(info.sample_rate, info.samples, dropped=info.dropped)
        frames = settings.packet_frames * (
            1 if reader.live else max(1, FILE_FRAMES // settings.packet_frames)
        )
        block = round(frames / model.config.frame_rate * info.sample_rate)
        verifier = Verifier(model, encoder) if verify else None
        mode = private_mode(source)
        with finishing_on_signals(source), atomic_output(target, force, mode) as output:
            for pcm in reader.blocks(block):
                progress.nac_bytes += _write(output, encoder.encode(pcm), verifier)
                output.flush()
                progress.samples += len(pcm)
                watch(progress)
            progress.nac_bytes += _write(output, encoder.finish(), verifier)
            if verifier:
                with naming(target):
                    verifier.finish()
            warning = reader.warning()
        progress.damaged = reader.report.damaged
    if progress.samples:
        audio_bytes = progress.nac_bytes - len(pack_header(encoder.header))
        progress.kbps = audio_bytes * 8 / 1000 / progress.seconds
    if settings.bitrate is not None and encoder.bitrate_out_of_reach:
        progress.notes += (_ceiling(settings.bitrate, progress.kbps),)
    progress.notes += _changes(reader, encoder)
    if warning:
        kept = "; the input is kept" if delete_input else ""
        progress.warnings = (f"{input_name(source)}: {warning}{kept}",)
    original.settle(lambda: verify_file(target, model, encoder), not warning)
    return progress


def _ceiling(asked: float, kbps: float) -> str:
    return f"{asked:g} kbps are more than nacli can use for this sound, which takes {kbps:.2f} kbps"


def _changes(reader: AudioReader, encoder: Encoder) -> tuple[str, ...]:
    """What was changed in the samples before they were encoded."""
    bad = reader.not_finite
    samples = f"{counted(bad, 'sample')} {'was' if bad == 1 else 'were'}"
    zeroed = f"{samples} infinite or no number and became 0"
    return (*([zeroed] if bad else []), *encoder.warnings)


def _write(output: Output, data: bytes, verifier: Verifier | None) -> int:
    if verifier:
        with naming(output.name):
            verifier.feed(data)
            verifier.compare()
    return output.write(data)


def decode_file(
    source: str,
    target: str,
    model: Model,
    *,
    watch: Watch,
    keep_tags: bool = True,
    force: bool = False,
    delete_input: bool = False,
    start: float | str = 0,
    stop: float | str | None = None,
    on_gap: Callable[[Gap], None] | None = None,
    raw: bool = False,
    sample_format: str | None = None,
) -> Progress:
    """Decompress a .nac file to an audio file, whose container follows its extension; the file
    keeps its time, and tags and picture go along where `keep_tags` is true. `delete_input` deletes
    the input when all of it was decoded, and the output is on the disk and has been read back from
    there.

    `start`, `stop` and `on_gap` are those of `Decoder`. Samples are written in `sample_format` or
    in that of the original, and without a header where `raw` is true. Raises the errors of
    `Decoder`, naming the file, and those of `AudioWriter`; `UnsupportedAudio` where the container
    cannot hold `sample_format`.
    """
    _check_target(source, target, force)
    original = Original(source, target, delete_input)
    progress = Progress(1, None)

    def count(gap: Gap) -> None:
        progress.gaps += 1
        assert on_gap is not None
        on_gap(gap)

    decoder = Decoder(model, start=start, stop=stop, on_gap=count if on_gap else None)
    blocks = _decoded(source, decoder, progress)
    first = next(blocks)
    assert decoder.header is not None, "there are no samples before the header"
    progress.sample_rate = decoder.header.stream.sample_rate
    progress.expected = decoder.samples
    info = _audio_info(decoder, keep_tags and not raw)
    if sample_format:
        info = replace(info, sample_format=sample_format)
        if not raw:
            check_depth(target, info)
    mode = private_mode(source)
    with finishing_on_signals(source), AudioWriter(target, info, force, raw, mode) as writer:
        progress.dropped = writer.dropped
        for pcm in chain([first], blocks):
            writer.write(pcm)
            progress.samples += len(pcm)
            watch(progress)
    progress.kbps = decoder.kbps
    whole = decoder.takes_all and not progress.gaps
    original.settle(lambda: verify_audio(target, writer.info, progress.samples), whole)
    return progress


def _decoded(source: str, decoder: Decoder, progress: Progress) -> Iterator[Pcm]:
    """Samples as the bytes of `source` complete them; the last come when it has ended well."""
    with naming(source):
        for data in _bytes(source, decoder):
            progress.nac_bytes += len(data)
            yield from decoder.blocks(data)
        yield from decoder.last_blocks()


def _bytes(source: str, decoder: Decoder) -> Iterator[bytes]:
    """The bytes of a .nac file, as far as the Decoder needs them."""
    with open_input(source) as stream:
        for data in blocks_of(stream, input_name(source)):
            opened = decoder.header is not None
            yield data
            if decoder.done:
                return
            if not opened and decoder.first_packet and source != "-" and stream.seekable():
                with reading(input_name(source)):
                    _jump(stream, decoder)


def _jump(stream: BinaryIO, decoder: Decoder) -> None:
    """Move on to where decoding begins, if that is further than what has been read."""
    assert decoder.header is not None
    here = stream.tell()
    packet, there = find_packet(
        stream, decoder.header.stream, decoder.packets_at, decoder.first_packet
    )
    stream.seek(max(here, there))
    if there > here:
        decoder.jump(packet)


def _audio_info(decoder: Decoder, keep_tags: bool) -> AudioInfo:
    header = decoder.header
    assert header is not None
    info = AudioInfo(
        header.stream.sample_rate,
        header.stream.channels,
        header.stream.sample_format.name,
        decoder.samples,
    )
    if not keep_tags:
        return replace(info, tags=tuple(filter(is_mask, header.tags)))
    return replace(info, tags=header.tags, picture=header.picture)


def _with_tags(info: AudioInfo, edits: Iterable[str], cover: bytes | None) -> AudioInfo:
    """`info` with edited tags and, where there is one, another cover, and without what a .nac file
    has no room for."""
    tags, dropped = fit_tags(edit_tags(info.tags, edits))
    picture = info.picture
    if picture:
        own = unpack_picture(picture)
        if len(picture) > MAX_PICTURE_BYTES or (cover and own.kind != FRONT_COVER):
            dropped += (str(own),)
            picture = None
    picture = cover or picture
    return replace(info, tags=tags, picture=picture, dropped=info.dropped + dropped)


def _check_target(source: str, target: str, force: bool) -> None:
    """Refuse what can be refused before the work; never replace the input by its own output."""
    files = "-" not in (source, target) and os.path.isfile(source) and os.path.exists(target)
    if files and os.path.samefile(source, target):
        raise OutputExists(f"{target}: input and output are the same file")
    check_output(target, force)
