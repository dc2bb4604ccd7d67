"""The recordings of a file, decoded by libsndfile one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import soundfile

from nacli.audio.parsing.recordings import BY_LIBSNDFILE, Recording
from nacli.audio.parsing.spliced import Piece, SplicedFile
from nacli.audio.pcm import SAMPLE_BYTES, AudioInfo
from nacli.audio.read_report import ReadReport
from nacli.errors import UnsupportedAudio
from nacli.types import Pcm

_SAMPLE_BYTES = {**SAMPLE_BYTES, "ULAW": 1, "ALAW": 1}
_UNKNOWN_FRAMES = 2**62
"""Smallest number of frames by which libsndfile says that it does not know the length."""


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A SoundFile that never seeks. The base class seeks after every block, and then Opus decodes
    to other samples for other block sizes."""

    def __init__(self, descriptor: int, pieces: list[Piece]) -> None:
        self.source = SplicedFile(descriptor, pieces)
        with _raising(self.source):
            super().__init__(self.source)

    def seekable(self) -> bool:
        """Tell soundfile not to seek."""
        return False

    def read_some(self, samples: int) -> tuple[Pcm, soundfile.LibsndfileError | None]:
        """Return the next samples [T, C], and the error if one stopped the decoder before
        `samples`."""
        pcm: Pcm = np.full((samples, self.channels), np.nan, dtype=np.float32)
        try:
            with _raising(self.source):
                return self.read(out=pcm), None
        except soundfile.LibsndfileError as error:
            missing = np.isnan(pcm[:, 0])  # soundfile does not pass on libsndfile's count
            return pcm[: int(missing.argmax()) if missing.any() else samples], error


@contextmanager
def _raising(source: SplicedFile) -> Iterator[None]:
    """Raise the error that occurred in the file below, not the error that libsndfile made of it."""
    try:
        yield
    finally:
        if source.error:
            raise source.error


@dataclass(frozen=True)
class _OpenedRecording:
    """A recording: its pieces, its properties, and the samples that its header promises."""

    pieces: list[Piece]
    info: AudioInfo
    promised: int | None


class SoundFiles:
    """The recordings of an open file as one stream of samples.

    Attributes:
        info: the properties of the first recording, and the length of all.
        report: the promised samples of the recordings that were begun, and damage, which ends a
            recording.
        strings: tags of the first recording that libsndfile knows, by their names in lower case.

    Raises `LibsndfileError` if the file is no audio, or is damaged before the first sample, and
    `UnsupportedAudio` if sample rates or channel counts differ.
    """

    def __init__(self, descriptor: int, recordings: list[Recording], name: str) -> None:
        self._descriptor = descriptor
        self._file: _SequentialFile | None = None
        self._read_of_recording = 0
        self.report = ReadReport()
        self.strings: dict[str, str] = {}
        self._left: list[_OpenedRecording] = []
        for recording in recordings:
            self._open(recording)
        if len(recordings) > 1:  # the output has no place for the tags of the others
            self.report.faults.append(f"{len(recordings)} recordings are joined in it")
        self.info = _joined([recording.info for recording in self._left], name)
        self.report.sample_rate, self.report.promised = self.info.sample_rate, 0

    def _open(self, recording: Recording) -> None:
        """Add a recording. One that cannot be read is an error only if it is the first."""
        try:
            with _SequentialFile(self._descriptor, recording.pieces) as file:
                self._left.append(_opened(file, recording))
                self.strings = self.strings or file.copy_metadata()
        except soundfile.LibsndfileError as error:
            if not self._left:
                raise
            self._add_damage(f"one of its recordings cannot be read ({_cause(error)})")
        self.report.faults += recording.faults
        self.report.damaged |= recording.damaged

    def _add_damage(self, fault: str) -> None:
        self.report.damaged = True
        self.report.faults.append(fault)

    def read(self, samples: int) -> Pcm:
        """Return the next samples [T, C]; T < `samples` only at the end."""
        blocks: list[Pcm] = [np.zeros((0, self.info.channels), dtype=np.float32)]
        while samples and self._left:
            if self._file is None:
                self._file = _SequentialFile(self._descriptor, self._left[0].pieces)
            pcm, error = self._file.read_some(samples)
            blocks.append(pcm)
            samples -= len(pcm)
            self._read_of_recording += len(pcm)
            if error and not self.report.promised and not self._read_of_recording:
                raise error
            if error:
                at = self._read_of_recording / self.info.sample_rate
                self._add_damage(f"damaged at {at:.3f} s ({_cause(error)})")
            if error or samples:
                self._end_recording()
        return np.concatenate(blocks)

    def _end_recording(self) -> None:
        """Close the current recording, and add its promised samples to the report; without a
        promise, the samples that were read."""
        promised = self._left.pop(0).promised
        assert self.report.promised is not None, "it begins with 0"
        self.report.promised += self._read_of_recording if promised is None else promised
        self._read_of_recording = 0
        self.close()

    def close(self) -> None:
        """Close the current recording."""
        if self._file:
            self._file.close()
            self._file = None


def _cause(error: soundfile.LibsndfileError) -> str:
    return error.error_string.removeprefix("Error : ").removesuffix(".")


def _opened(file: _SequentialFile, recording: Recording) -> _OpenedRecording:
    counted = file.frames if file.frames < _UNKNOWN_FRAMES else None
    samples = counted if recording.samples == BY_LIBSNDFILE else recording.samples
    promised = counted if recording.promised == BY_LIBSNDFILE else recording.promised
    if promised is not None and recording.missing_bytes:
        width = _SAMPLE_BYTES.get(file.subtype)
        # compressed samples: in proportion to the bytes
        estimate = recording.missing_bytes * promised // (recording.held_bytes or 1)
        exact = recording.missing_bytes // (width * file.channels) if width else 0
        promised += exact if width else max(1, estimate)
    info = AudioInfo(file.samplerate, file.channels, file.subtype, samples)
    return _OpenedRecording(recording.pieces, info, promised)


def _joined(infos: list[AudioInfo], name: str) -> AudioInfo:
    """Return the properties of several recordings together. Raises `UnsupportedAudio`."""
    layouts = {(info.sample_rate, info.channels): None for info in infos}
    if len(layouts) > 1:
        listed = ", ".join(f"{rate} Hz with {channels} channels" for rate, channels in layouts)
        raise UnsupportedAudio(f"{name}: its recordings differ and cannot be joined ({listed})")
    lengths = [info.samples for info in infos if info.samples is not None]
    return replace(infos[0], samples=sum(lengths) if len(lengths) == len(infos) else None)
