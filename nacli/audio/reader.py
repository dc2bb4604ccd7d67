"""Read audio files and pipes as blocks of pcm."""

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

from nacli.audio import wav_stream
from nacli.audio.channel_mask import is_mask
from nacli.audio.metadata.tag_reader import read_tags
from nacli.audio.parsing.chunks import Layout, find_layout, wav_trailing_fault
from nacli.audio.parsing.recordings import find_recordings
from nacli.audio.pcm import (
    SAMPLE_BYTES,
    AudioInfo,
    PcmStream,
    Pushback,
    sample_size,
)
from nacli.audio.read_report import ReadReport
from nacli.audio.samples import check_supported
from nacli.audio.sound_files import SoundFiles
from nacli.errors import UnreadableInput, UnsupportedAudio
from nacli.files.inputs import BLOCK_BYTES, open_input, reading
from nacli.files.live import LiveStream
from nacli.files.names import FFMPEG_EXTENSIONS, ffmpeg_command, input_name
from nacli.files.outputs import Output
from nacli.types import Pcm

_UNRECOGNISED = 1
"""libsndfile's error code for a format that it does not know."""

_STRINGS = (*wav_stream.INFO_TAGS, "LICENSE")
"""Names of tags that libsndfile reads; they are used if no other tags are found."""


class AudioReader:
    """Reads audio from a file, or from stdin for "-", as blocks of pcm. A context manager.

    WAV with uncompressed samples from a pipe is read as a stream, as it arrives; `info.samples` is
    the promise of its header, and a pipe that ends early just ends. Other formats from a pipe are
    first copied to a temporary file. `raw` reads headerless PCM with that rate, channels and sample
    format. Without `tags`, neither tags nor pictures are kept, except for a channel mask. Damaged
    tags are no error: `info.dropped` names what could not be kept.

    Lengths of 0 or -1 in a header mean "to the end". Joined recordings (a chained Ogg stream,
    joined MP3) are read one after another. A file that is damaged after its first sample ends
    there. `warning` reports this, and all sound that is or may be in the input and was not read.

    Raises:
        UnreadableInput: no such file, no audio that libsndfile knows, damaged (also in `blocks`).
        UnsupportedAudio: over 8 channels, or a sample rate outside 8 to 192 kHz; joined recordings
            of several rates or channel counts.
    """

    info: AudioInfo
    report: ReadReport
    """The promised length, and what was read so far."""
    not_finite: int
    """Number of samples read so far that were infinite or not a number."""

    def __init__(self, path: str, raw: AudioInfo | None = None, tags: bool = True) -> None:
        self._name, self._tags, self.not_finite = input_name(path), tags, 0
        self._find_trailing_fault: Callable[[], str | None] = lambda: None
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
        size = os.fstat(stream.fileno()).st_size if is_file else None
        self.info = info if size is None else replace(info, samples=size // sample_size(info))
        self.report = ReadReport(info.sample_rate, self.info.samples)
        self._read: Callable[[int], Pcm] = PcmStream(Pushback(LiveStream(stream)), self.info).read

    def _open_pipe(self, stream: BinaryIO, stack: ExitStack) -> None:
        source = Pushback(LiveStream(stream))
        first = source.read(1)
        if not first:
            raise UnreadableInput(f"{self._name}: the input is empty")
        source.unread(first)
        header = wav_stream.read_header(source)
        if header is None:
            spool = stack.enter_context(tempfile.TemporaryFile())
            _copy(source, Output(spool, "temporary file"))
            self._open_file(spool, stack)
            return
        info, size = header
        self.info = info if self._tags else _without_tags(info)
        self.report = ReadReport(info.sample_rate, info.samples)
        self._read = PcmStream(source, info).read
        if info.samples is not None:
            self._find_trailing_fault = lambda: _pipe_trailing_fault(source, info, size)

    def _open_file(self, stream: BinaryIO, stack: ExitStack) -> None:
        descriptor = stream.fileno()
        size = os.fstat(descriptor).st_size
        if size == 0:
            raise UnreadableInput(f"{self._name}: the file is empty")
        layout = find_layout(descriptor, size)
        plain = layout and wav_stream.parse_format(layout.format_body)
        strings: dict[str, str] = {}
        if layout and plain:
            self._open_plain(stream, layout, AudioInfo(*plain, None))
        else:
            files = SoundFiles(descriptor, find_recordings(descriptor, size, layout), self._name)
            stack.callback(files.close)
            self.info, self.report, self._read = files.info, files.report, files.read
            strings = files.strings
        self.info = _with_tags(self.info, strings, descriptor)
        if not self._tags:
            self.info = _without_tags(self.info)

    def _open_plain(self, stream: BinaryIO, layout: Layout, info: AudioInfo) -> None:
        """Read a WAV file as a stream, but of known length."""
        align = sample_size(info)
        self.info = replace(info, samples=layout.held // align)
        promised = None if layout.promised is None else layout.promised // align
        self.report = ReadReport(info.sample_rate, promised)
        self.report.faults += [layout.fault] if layout.fault else []
        stream.seek(layout.start)
        self._read = PcmStream(Pushback(stream), self.info).read

    def warning(self) -> str | None:
        """Return, after the last block, why the blocks may lack sound of the input, in one line;
        None if they lack nothing. A pipe is read to its end for this."""
        with _decoding(self._name):
            fault = self._find_trailing_fault()
        self.report.faults += [fault] if fault else []
        return self.report.warning()

    def blocks(self, samples: int) -> Iterator[Pcm]:
        """Yield pcm [T, C], T == `samples` except in the last block; no block is empty. NaN and
        infinite samples become 0."""
        while True:
            with _decoding(self._name):
                pcm = self._read(samples)
            self.report.read += len(pcm)
            if len(pcm):
                self.not_finite += pcm.size - int(np.count_nonzero(np.isfinite(pcm)))
                yield np.nan_to_num(pcm, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            if len(pcm) < samples:
                return

    def close(self) -> None:
        """Close the input."""
        self._stack.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn errors of reading and of libsndfile into `UnreadableInput`."""
    with reading(name):
        try:
            yield
        except soundfile.LibsndfileError as error:
            raise UnreadableInput(f"{name}: {_cause(error, name)}") from error


def _cause(error: soundfile.LibsndfileError, name: str) -> str:
    """Describe an error of libsndfile, and name a program that can decode the input."""
    if error.code != _UNRECOGNISED:
        return str(error.error_string)
    extension = os.path.splitext(name)[1].lower()
    if extension == ".nac":
        return "not recognised as audio (nacli decode reads .nac files)"
    if name == input_name("-") or extension in FFMPEG_EXTENSIONS:
        path = "FILE" if name == input_name("-") else name
        return f"not recognised as audio; where ffmpeg reads it: {ffmpeg_command(path)}"
    return "not recognised as audio (WAV, FLAC, Ogg, MP3, AIFF, AU, CAF and their like are)"


def _copy(source: Pushback, output: Output) -> None:
    """Copy the rest of a stream, and rewind the output."""
    while block := source.read(BLOCK_BYTES):
        output.write(block)
    output.flush()
    output.seek(0)


def _pipe_trailing_fault(source: Pushback, info: AudioInfo, size: int) -> str | None:
    """Return `Layout.fault` of a WAV pipe with `size` bytes of samples, of which all whole samples
    were read."""
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
        return wav_trailing_fault(spool.fileno(), os.fstat(spool.fileno()).st_size, odd)


def _with_tags(info: AudioInfo, strings: Mapping[str, str], descriptor: int) -> AudioInfo:
    """Return `info` with tags and picture; `strings` are used if there are no other tags."""
    collected = read_tags(descriptor)
    if all(map(is_mask, collected.tags)):
        values = ((name, strings.get(name.lower())) for name in _STRINGS)
        collected.tags += [f"{name}={value}" for name, value in values if value]
    picture = collected.picture()
    return replace(
        info, tags=tuple(collected.tags), picture=picture, dropped=tuple(collected.dropped)
    )


def _without_tags(info: AudioInfo) -> AudioInfo:
    """Return `info` with no tag but a channel mask."""
    return replace(info, tags=tuple(filter(is_mask, info.tags)), picture=None, dropped=())
