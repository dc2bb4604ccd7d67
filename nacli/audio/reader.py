"""Audio files and pipes to pcm."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import soundfile

from nacli.audio import wav_stream as wavstream
from nacli.audio.channel_mask import is_mask
from nacli.audio.intake import Intake
from nacli.audio.metadata.tags import read_tags
from nacli.audio.parsing.chunks import Layout, behind_wav, find_layout
from nacli.audio.parsing.parts import find_parts
from nacli.audio.pcm import (
    SAMPLE_BYTES,
    AudioInfo,
    PcmStream,
    Pushback,
    sample_size,
)
from nacli.audio.sound_files import SoundFiles
from nacli.errors import UnreadableInput, UnsupportedAudio
from nacli.files.inputs import BLOCK_BYTES, open_input, reading
from nacli.files.live import LiveStream
from nacli.files.names import FFMPEG_EXTENSIONS, ffmpeg_command, input_name
from nacli.files.outputs import Output
from nacli.types import Pcm

MIN_RATE, MAX_RATE = 8_000, 192_000
MAX_CHANNELS = 8

_UNRECOGNISED = 1
"""libsndfile's number for a format that it does not know."""

_STRINGS = (*wavstream.INFO_TAGS, "LICENSE")
"""Names of tags that libsndfile knows; they stand in where nothing else is found."""


class AudioReader:
    """Audio from a file, or from stdin for "-", as blocks of pcm. A context manager.

    WAV with plain samples from a pipe is read as a stream, as it comes; there `info.samples` is
    what the header promises, and a pipe that ends early just ends. Anything else from a pipe is
    first copied to a temporary file. `raw` reads headerless PCM with that rate, channels and
    sample format. Without `tags` neither tags nor pictures are kept, but for a channel mask.
    Damaged ones are no error: `info.dropped` names what could not be kept.

    Lengths of 0 or -1 in a header mean "to the end". Of joined recordings (a chained Ogg stream,
    joined MP3) all are read, one after another. Damage ends a file, where some of it was read;
    `warning` tells of that, and of all else that is or may be in the input and was not read.

    Raises:
        UnreadableInput: no such file, no audio that libsndfile knows, damaged (also in `blocks`).
        UnsupportedAudio: over 8 channels, or a sample rate outside 8 to 192 kHz; joined recordings
            of several rates or channel counts.
    """

    info: AudioInfo
    live: bool
    """Whether samples are read as they come, so that reading ahead would wait for them."""
    intake: Intake
    """What the header promises, and what was given so far."""
    not_finite: int
    """Samples read so far that were infinite or no number."""

    def __init__(self, path: str, raw: AudioInfo | None = None, tags: bool = True) -> None:
        self._name, self._tags, self.not_finite = input_name(path), tags, 0
        self._look_behind: Callable[[], str | None] = lambda: None
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
        self.intake = Intake(info.sample_rate, self.info.samples)
        self._read: Callable[[int], Pcm] = PcmStream(Pushback(LiveStream(stream)), self.info).read

    def _open_pipe(self, stream: BinaryIO, stack: ExitStack) -> None:
        source = Pushback(LiveStream(stream))
        first = source.read(1)
        if not first:
            raise UnreadableInput(f"{self._name}: the input is empty")
        source.unread(first)
        header = wavstream.read_header(source)
        if header is None:
            spool = stack.enter_context(tempfile.TemporaryFile())
            _copy(source, Output(spool, "temporary file"))
            self._open_file(spool, stack)
            return
        self.live = True
        info, size = header
        self.info = info if self._tags else _without_tags(info)
        self.intake = Intake(info.sample_rate, info.samples)
        self._read = PcmStream(source, info).read
        if info.samples is not None:
            self._look_behind = lambda: _fault_behind(source, info, size)

    def _open_file(self, stream: BinaryIO, stack: ExitStack) -> None:
        self.live = False
        descriptor = stream.fileno()
        size = os.fstat(descriptor).st_size
        if size == 0:
            raise UnreadableInput(f"{self._name}: the file is empty")
        layout = find_layout(descriptor, size)
        plain = layout and wavstream.parse_format(layout.format_body)
        strings: dict[str, str] = {}
        if layout and plain:
            self._open_plain(stream, layout, AudioInfo(*plain, None))
        else:
            files = SoundFiles(descriptor, find_parts(descriptor, size, layout), self._name)
            stack.callback(files.close)
            self.info, self.intake, self._read = files.info, files.intake, files.read
            strings = files.strings
        self.info = _with_tags(self.info, strings, descriptor)
        if not self._tags:
            self.info = _without_tags(self.info)

    def _open_plain(self, stream: BinaryIO, layout: Layout, info: AudioInfo) -> None:
        """A WAV file as a stream, but of known length."""
        align = sample_size(info)
        self.info = replace(info, samples=layout.held // align)
        promised = None if layout.promised is None else layout.promised // align
        self.intake = Intake(info.sample_rate, promised)
        self.intake.faults += [layout.fault] if layout.fault else []
        stream.seek(layout.start)
        self._read = PcmStream(Pushback(stream), self.info).read

    def warning(self) -> str | None:
        """After the last block: why they may not be all of the input's sound, in one line; None
        where they are. What comes behind the sound in a pipe is read to its end for that."""
        with _decoding(self._name):
            fault = self._look_behind()
        self.intake.faults += [fault] if fault else []
        return self.intake.warning()

    def blocks(self, samples: int) -> Iterator[Pcm]:
        """Yield pcm [T, C], T == `samples` except in the last block; none is empty. NaN and
        infinite samples become 0."""
        while True:
            with _decoding(self._name):
                pcm = self._read(samples)
            self.intake.given += len(pcm)
            if len(pcm):
                self.not_finite += pcm.size - int(np.count_nonzero(np.isfinite(pcm)))
                yield np.nan_to_num(pcm, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            if len(pcm) < samples:
                return

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    with reading(name):
        try:
            yield
        except soundfile.LibsndfileError as error:
            raise UnreadableInput(f"{name}: {_cause(error, name)}") from error


def _cause(error: soundfile.LibsndfileError, name: str) -> str:
    """What to say of an error of libsndfile, and what else can decode the input."""
    if error.code != _UNRECOGNISED:
        return str(error.error_string)
    extension = os.path.splitext(name)[1].lower()
    if extension == ".nac":
        return "not recognised as audio (nacli decode reads .nac files)"
    if name == input_name("-") or extension in FFMPEG_EXTENSIONS:
        path = "FILE" if name == input_name("-") else name
        return f"not recognised as audio; where ffmpeg reads it: {ffmpeg_command(path)}"
    return "not recognised as audio (WAV, FLAC, Ogg, MP3, AIFF, AU, CAF and their like are)"


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


def _fault_behind(source: Pushback, info: AudioInfo, size: int) -> str | None:
    """What is wrong in a pipe behind `size` bytes of samples, of which the whole ones were read."""
    source.read(size % sample_size(info))
    first = source.read(1)
    if not first:
        return None
    source.unread(first)
    with tempfile.TemporaryFile() as spool:
        output = Output(spool, "temporary file")
        odd = size % 2
        output.write(bytes(odd))
        _copy(source, output)
        return behind_wav(spool.fileno(), os.fstat(spool.fileno()).st_size, odd)


def _with_tags(info: AudioInfo, strings: Mapping[str, str], descriptor: int) -> AudioInfo:
    """`info` with tags and picture; `strings` stand in where there are no other tags."""
    found = read_tags(descriptor)
    if all(map(is_mask, found.tags)):
        values = ((name, strings.get(name.lower())) for name in _STRINGS)
        found.tags += [f"{name}={value}" for name, value in values if value]
    picture = found.picture()
    return replace(info, tags=tuple(found.tags), picture=picture, dropped=tuple(found.dropped))


def _without_tags(info: AudioInfo) -> AudioInfo:
    return replace(info, tags=tuple(filter(is_mask, info.tags)), picture=None, dropped=())
