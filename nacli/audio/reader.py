"""Audio files and pipes to pcm."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import soundfile

from nacli.audio import wav_stream as wavstream
from nacli.audio.metadata.tags import read_tags
from nacli.audio.pcm import SAMPLE_BYTES, AudioInfo, PcmStream, Pushback, sample_size
from nacli.errors import UnreadableInput, UnsupportedAudio
from nacli.files.live import LiveStream
from nacli.files.streams import BLOCK_BYTES, Output, input_name, open_input, reading
from nacli.types import Pcm

MIN_RATE, MAX_RATE = 8_000, 192_000
MAX_CHANNELS = 8

_STRINGS = (*wavstream.INFO_TAGS, "LICENSE")
"""Names of tags that libsndfile knows; they stand in where nothing else is found."""


class AudioReader:
    """Audio from a file, or from stdin for "-", as blocks of pcm. A context manager.

    WAV with plain samples from a pipe is read as a stream, as it comes; there `info.samples` is
    what the header promises, and a pipe that ends early just ends. Anything else from a pipe is
    first copied to a temporary file. `raw` reads headerless PCM with that rate, channels and
    sample format. Without `tags` neither tags nor pictures are looked for. Damaged ones are no
    error: `info.dropped` names what could not be kept.

    Raises:
        UnreadableInput: no such file, no audio that libsndfile knows, damaged (also in `blocks`).
        UnsupportedAudio: over 8 channels, or a sample rate outside 8 to 192 kHz.
    """

    info: AudioInfo
    live: bool
    """Whether samples are read as they come, so that reading ahead would wait for them."""

    def __init__(self, path: str, raw: AudioInfo | None = None, tags: bool = True) -> None:
        self._name, self._tags = input_name(path), tags
        with ExitStack() as stack:
            stream = stack.enter_context(open_input(path))
            with _decoding(self._name):
                is_file = path != "-" and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
                if raw is not None:
                    self._open_raw(stream, raw, is_file)
                elif is_file:
                    self._open_file(stream, stack)
                else:
                    self._open_pipe(stream, stack)
            check_supported(self.info.sample_rate, self.info.channels, self._name)
            self._stack = stack.pop_all()

    def _open_raw(self, stream: BinaryIO, info: AudioInfo, is_file: bool) -> None:
        if info.sample_format not in SAMPLE_BYTES:
            raise UnsupportedAudio(f"{self._name}: raw {info.sample_format} cannot be read")
        self.live = not is_file
        size = os.fstat(stream.fileno()).st_size if is_file else None
        self.info = info if size is None else replace(info, samples=size // sample_size(info))
        self._read: Callable[[int], Pcm] = PcmStream(Pushback(LiveStream(stream)), self.info).read

    def _open_pipe(self, stream: BinaryIO, stack: ExitStack) -> None:
        source = Pushback(LiveStream(stream))
        info = wavstream.read_header(source)
        if info is None:
            spool = stack.enter_context(tempfile.TemporaryFile())
            _copy(source, Output(spool, "temporary file"))
            self._open_file(spool, stack)
        else:
            self.live = True
            self.info = info if self._tags else replace(info, tags=(), dropped=())
            self._read = PcmStream(source, info).read

    def _open_file(self, stream: BinaryIO, stack: ExitStack) -> None:
        self.live = False
        file = _SequentialFile(stream.fileno(), closefd=False)
        stack.callback(file.close)
        self.info = _file_info(file)
        if self._tags:
            self.info = _with_tags(self.info, file, stream.fileno())
        self._read = lambda samples: file.read(samples, dtype="float32", always_2d=True)

    def blocks(self, samples: int) -> Iterator[Pcm]:
        """Yield pcm [T, C], T == `samples` except in the last block; none is empty. NaN and
        infinite samples become 0."""
        while True:
            with _decoding(self._name):
                pcm = self._read(samples)
            if len(pcm):
                yield np.nan_to_num(pcm, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            if len(pcm) < samples:
                return

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A SoundFile that never seeks. The plain one seeks after every block, and then Opus decodes to
    other samples for other block sizes."""

    def seekable(self) -> bool:
        return False


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    with reading(name):
        try:
            yield
        except soundfile.LibsndfileError as error:
            raise UnreadableInput(f"{name}: {error.error_string}") from error


def check_supported(sample_rate: int, channels: int, name: str = "audio") -> None:
    """Raise `UnsupportedAudio`, naming `name`, for a rate or channel count out of range."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudio(f"{name}: {channels} channels (1 to {MAX_CHANNELS} are read)")
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        possible = f"{MIN_RATE} to {MAX_RATE} Hz are read"
        raise UnsupportedAudio(f"{name}: sample rate {sample_rate} Hz ({possible})")


def _copy(source: Pushback, output: Output) -> None:
    while block := source.read(BLOCK_BYTES):
        output.write(block)
    output.flush()
    output.seek(0)


def _file_info(file: soundfile.SoundFile) -> AudioInfo:
    # MP3 lengths may be estimates; for FLAC of unknown length libsndfile says 2^63 - 1.
    unknown = file.format == "MP3" or file.frames >= 2**62
    samples = None if unknown else file.frames
    return AudioInfo(file.samplerate, file.channels, file.subtype, samples)


def _with_tags(info: AudioInfo, file: soundfile.SoundFile, descriptor: int) -> AudioInfo:
    found = read_tags(descriptor)
    if not found.tags:
        metadata = file.copy_metadata()
        values = ((name, metadata.get(name.lower())) for name in _STRINGS)
        found.tags += [f"{name}={value}" for name, value in values if value]
    picture = found.picture()
    return replace(info, tags=tuple(found.tags), picture=picture, dropped=tuple(found.dropped))
