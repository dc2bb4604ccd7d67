"""Write pcm to audio files and pipes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from nacli.audio import wav_stream
from nacli.audio.channel_mask import channel_mask, is_mask
from nacli.audio.containers import (
    INTEGER_BITS,
    MAX_BYTES,
    TELEPHONE,
    audio_bytes,
    choose_container,
    empty_flac,
    nearest_format,
)
from nacli.audio.metadata.tag_writer import fit_tags_of, tag_bytes, write_tags
from nacli.audio.pcm import (
    SAMPLE_BYTES,
    AudioInfo,
    encode_samples,
    sample_size,
    to_integers,
)
from nacli.errors import UnsupportedAudio, WriteFailed, counted
from nacli.files.outputs import PUBLIC, Output, atomic_output
from nacli.types import Pcm

_WRITE_SAMPLES = 4096
"""Samples that libsndfile gets at once: libvorbis copies them to its stack."""

_WAV_HEAD_BYTES = 256
"""Bytes in which the fmt chunk of libsndfile's files begins."""
_MASK_OFFSET = 8 + 20
"""Offset of the channel mask in a fmt chunk, from the chunk's name on."""


class AudioWriter:
    """Writes audio to a file, or to stdout for "-". A context manager that opens on entry.

    The extension chooses the container. The sample format is that of `info`, or the nearest that
    the container holds (`containers.NEAREST`). `dropped` names the tags and the picture that it
    cannot hold. The file appears under its name when all is well, and not at all otherwise (see
    `atomic_output`, also for `mode`). Stdout gets WAV as a stream, each block at once; if
    `info.samples` is known, the header is exact. With `raw`, only the samples are written, whatever
    the extension.

    Raises:
        UnsupportedAudio: an extension that `containers.CONTAINERS` lacks, or audio that the
            container cannot hold.
        OutputExists, WriteFailed: as `atomic_output`; also a WAV or AIFF file over 4 GiB.
    """

    def __init__(
        self,
        path: str,
        info: AudioInfo,
        force: bool = False,
        raw: bool = False,
        mode: int = PUBLIC,
    ) -> None:
        self._path, self._force, self._raw, self._mode = path, force, raw, mode
        self._container: str | None
        if raw:
            self._container = None
            sample_format = nearest_format(info.sample_format, tuple(SAMPLE_BYTES))
        elif path == "-":
            self._container = None
            sample_format = nearest_format(info.sample_format, wav_stream.WAV_FORMATS)
        else:
            self._container, sample_format = choose_container(path, info)
        info = replace(info, sample_format=sample_format)
        self.info, self.dropped = fit_tags_of(self._container, info)

    def __enter__(self) -> AudioWriter:
        with ExitStack() as stack:
            output = stack.enter_context(atomic_output(self._path, self._force, self._mode))
            if self._raw:
                sink = _raw_sink(output, self.info)
            elif self._container is None:
                sink = _stream_sink(output, self.info)
            else:
                sink = _file_sink(output, self.info, self._container)
            self._write = stack.enter_context(sink)
            self._stack = stack.pop_all()
        return self

    def write(self, pcm: Pcm) -> None:
        """Append pcm [T, C]. Integer formats are clipped to +-1 and rounded without dither."""
        self._write(pcm)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


@contextmanager
def _raw_sink(output: Output, info: AudioInfo) -> Iterator[Callable[[Pcm], None]]:
    def write(pcm: Pcm) -> None:
        output.write(encode_samples(pcm, info.sample_format))

    yield write


@contextmanager
def _stream_sink(output: Output, info: AudioInfo) -> Iterator[Callable[[Pcm], None]]:
    output.write(wav_stream.write_header(info))
    with _raw_sink(output, info) as write:
        yield write
    if (info.samples or 0) * sample_size(info) % 2:
        output.write(b"\0")


@contextmanager
def _file_sink(output: Output, info: AudioInfo, container: str) -> Iterator[Callable[[Pcm], None]]:
    stream = _SndfileOutput(output)
    file = _create(stream, info, container)
    limit, tags = MAX_BYTES.get(container), tag_bytes(info)
    samples = 0

    def write(pcm: Pcm) -> None:
        nonlocal samples
        samples += len(pcm)
        if limit and tags + audio_bytes(samples, info, info.sample_format) > limit:
            raise WriteFailed(f"{output.name}: {container} holds 4 GiB at most (.flac holds more)")
        for start in range(0, len(pcm), _WRITE_SAMPLES):
            with stream.guarded():
                file.write(_to_libsndfile(pcm[start : start + _WRITE_SAMPLES], info.sample_format))

    try:
        yield write
    except BaseException:
        with suppress(Exception):
            file.close()
        raise
    with stream.guarded():
        file.close()
    if container == "FLAC" and not samples:
        output.write(empty_flac(info))
    if output.editable:  # a device named like a file is not
        _set_channel_mask(output, info, container)
        write_tags(output, container, info)


class _SndfileOutput:
    """The output as a file for libsndfile. Its callbacks cannot raise, so the first error is
    kept."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._error: WriteFailed | None = None

    def write(self, data: bytes) -> int:
        """Write as `Output` does; 0 after an error."""
        return self._try(lambda: self._output.write(data))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek as `Output` does; 0 after an error."""
        return self._try(lambda: self._output.seek(offset, whence))

    def tell(self) -> int:
        """Tell as `Output` does; 0 after an error."""
        return self._try(self._output.tell)

    def _try(self, action: Callable[[], int]) -> int:
        if self._error is None:
            try:
                return action()
            except WriteFailed as error:
                self._error = error
        return 0

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Raise `WriteFailed` for an error in the body, whether libsndfile reported it or not."""
        try:
            yield
        except (AssertionError, soundfile.LibsndfileError, UnsupportedAudio) as error:
            if self._error is None and isinstance(error, UnsupportedAudio):
                raise
            raise self._error or WriteFailed(f"{self._output.name}: {error}") from error
        if self._error:
            raise self._error


def _set_channel_mask(output: Output, info: AudioInfo, container: str) -> None:
    """Write the channel mask into a finished WAV file, in place of libsndfile's choice."""
    mask = channel_mask(info.tags)
    if mask is None or container not in ("WAV", "RF64"):
        return
    output.seek(0)
    at = output.read(_WAV_HEAD_BYTES).index(b"fmt ") + _MASK_OFFSET
    output.seek(at)
    output.write(mask.to_bytes(4, "little"))


def _create(stream: _SndfileOutput, info: AudioInfo, container: str) -> soundfile.SoundFile:
    """Create a file; WAV gets its tags here. Raises `UnsupportedAudio` and `WriteFailed`."""
    masked = container == "WAV" and channel_mask(info.tags) is not None
    kind = "WAVEX" if masked else container
    with stream.guarded():
        try:
            file = soundfile.SoundFile(
                stream, "w", info.sample_rate, info.channels, info.sample_format, format=kind
            )
        except soundfile.LibsndfileError as error:
            layout = f"{counted(info.channels, 'channel')} at {info.sample_rate} Hz"
            cause = f"{container} cannot hold {layout}: {error.error_string}"
            raise UnsupportedAudio(cause) from error
    if container in ("WAV", "RF64"):
        for tag in info.tags:
            if is_mask(tag):
                continue
            name, _, value = tag.partition("=")
            setattr(file, name.lower(), value)
    return file


def _to_libsndfile(pcm: Pcm, sample_format: str) -> NDArray[Any]:
    """Convert samples for libsndfile.

    Integer formats get integers in the high bits of int32, since libsndfile scales floats by one
    step less when it writes than when it reads. Lossy formats get clipped floats.
    """
    if sample_format in TELEPHONE:
        pcm = np.maximum(pcm, -1 + 2**-15)  # libsndfile turns -1 into +1 there
    if sample_format in INTEGER_BITS:
        return to_integers(pcm, INTEGER_BITS[sample_format])
    if sample_format in ("FLOAT", "DOUBLE"):
        return np.ascontiguousarray(pcm)
    return np.clip(pcm, -1.0, 1.0)
