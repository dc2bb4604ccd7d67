"""One audio file to a .nac file, block by block, in bounded memory. "-" is stdin or stdout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from nacli.audio import AudioInfo, AudioReader
from nacli.checkpoint import Model
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.errors import counted
from nacli.files.live import finishing_on_signals, is_live
from nacli.files.names import input_name, naming
from nacli.files.outputs import Output, atomic_output, private_mode
from nacli.format import (
    FRONT_COVER,
    MAX_PICTURE_BYTES,
    edit_tags,
    fit_tags,
    pack_header,
    unpack_picture,
)
from nacli.jobs.progress import OnProgress, Progress
from nacli.jobs.source_file import SourceFile, check_target
from nacli.types import Pcm

if TYPE_CHECKING:
    from nacli.jobs.options import EncodeOptions
    from nacli.jobs.verify import Verifier


def encode_file(
    source: str, target: str, model: Model, options: EncodeOptions, on_progress: OnProgress
) -> Progress:
    """Compress an audio file to a .nac file, which gets the time of the audio file.

    The tags and the picture of the options replace those of the file (see `edit_tags`). With
    `options.verify`, every packet is read back as it is written. With `options.delete_input`, the
    input is deleted after the output was read back from the disk, unless there are `warnings`.

    Raises:
        Mismatch: what was read back differs from what was encoded; there is no output then.
        NacliError: the errors of `AudioReader`, `Encoder`, `atomic_output` and `SourceFile`.
    """
    check_target(source, target, options.force)
    source_file = SourceFile(source, target, options.delete_input)
    with AudioReader(source, options.raw_info(), options.keep_tags) as reader:
        settings = options.encoder_settings()
        info = _edit_metadata(reader.info, settings.tags, settings.picture)
        encoder = _open_encoder(source, model, info, settings)
        progress = Progress(info.sample_rate, info.samples, dropped=info.dropped)
        verifier = _verifier(model, encoder) if options.verify else None
        mode = private_mode(source)
        with finishing_on_signals(source), atomic_output(target, options.force, mode) as output:
            seconds = settings.packet_frames / model.config.frame_rate
            blocks = reader.blocks(round(seconds * info.sample_rate))
            for data in _encoded(encoder, blocks, is_live(source)):
                progress.nac_bytes += _write(output, data, verifier)
                output.flush()
                progress.samples = encoder.samples
                on_progress(progress)
            progress.samples = encoder.samples
            progress.nac_bytes += _write(output, encoder.finish(), verifier)
            if verifier:
                with naming(target):
                    verifier.finish()
            warning = reader.warning()
    _add_results(progress, reader, encoder, settings.bitrate)
    if warning:
        kept = "; the input is kept" if options.delete_input else ""
        progress.warnings = (f"{input_name(source)}: {warning}{kept}",)
    source_file.finish(lambda: _verify_file(target, model, encoder), not warning)
    return progress


def _edit_metadata(info: AudioInfo, edits: Iterable[str], cover: bytes | None) -> AudioInfo:
    """Return `info` with edited tags, and with `cover` instead of its picture where one is given.
    Tags and pictures that are too large for a .nac file move to `dropped`."""
    tags, dropped = fit_tags(edit_tags(info.tags, edits))
    picture = info.picture
    if picture:
        own = unpack_picture(picture)
        if len(picture) > MAX_PICTURE_BYTES or (cover and own.kind != FRONT_COVER):
            dropped += (str(own),)
            picture = None
    picture = cover or picture
    return replace(info, tags=tags, picture=picture, dropped=info.dropped + dropped)


def _open_encoder(source: str, model: Model, info: AudioInfo, settings: EncoderSettings) -> Encoder:
    settings = replace(
        settings, sample_format=info.sample_format, tags=info.tags, picture=info.picture
    )
    with naming(source):
        return Encoder(model, info.sample_rate, info.channels, settings, samples=info.samples)


def _encoded(encoder: Encoder, blocks: Iterable[Pcm], live: bool) -> Iterator[bytes]:
    """Encode the blocks of an input. A file is read in the prefetch thread. A live input is read in
    this thread: a signal or a failure of the output ends the process while it waits for samples."""
    if not live:
        return encoder.encode_blocks(blocks)
    return chain.from_iterable(encoder.encode_blocks([block]) for block in blocks)


def _verifier(model: Model, encoder: Encoder) -> Verifier:
    from nacli.jobs.verify import Verifier  # parts of the decoder, which few commands need

    return Verifier(model, encoder)


def _verify_file(path: str, model: Model, encoder: Encoder) -> None:
    from nacli.jobs.verify import verify_file

    verify_file(path, model, encoder)


def _write(output: Output, data: bytes, verifier: Verifier | None) -> int:
    if verifier:
        with naming(output.name):
            verifier.feed(data)
            verifier.compare()
    return output.write(data)


def _add_results(
    progress: Progress, reader: AudioReader, encoder: Encoder, bitrate: float | None
) -> None:
    """Fill in what is known when the whole file has been encoded."""
    progress.damaged = reader.report.damaged
    if progress.samples:
        audio_bytes = progress.nac_bytes - len(pack_header(encoder.header))
        progress.kbps = audio_bytes * 8 / 1000 / progress.seconds
    if bitrate is not None and encoder.bitrate_out_of_reach:
        progress.notes += (
            f"{bitrate:g} kbps are more than nacli can use for this sound, which takes "
            f"{progress.kbps:.2f} kbps",
        )
    if bad := reader.not_finite:
        samples = f"{counted(bad, 'sample')} {'was' if bad == 1 else 'were'}"
        progress.notes += (f"{samples} infinite or no number and became 0",)
    progress.notes += encoder.warnings
