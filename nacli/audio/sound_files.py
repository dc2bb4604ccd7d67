"""The recordings of a file as libsndfile decodes them, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import soundfile

from nacli.audio.intake import Intake
from nacli.audio.parsing.parts import FROM_FRAMES, Part
from nacli.audio.parsing.spliced import Piece, Spliced
from nacli.audio.pcm import SAMPLE_BYTES, AudioInfo
from nacli.errors import UnsupportedAudio
from nacli.types import Pcm

_SAMPLE_BYTES = {**SAMPLE_BYTES, "ULAW": 1, "ALAW": 1}
_MANY = 2**62
"""Frames that libsndfile finds where the length is unknown, at least."""


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A SoundFile that never seeks. The plain one seeks after every block, and then Opus decodes to
    other samples for other block sizes."""

    def __init__(self, descriptor: int, pieces: list[Piece]) -> None:
        self.source = Spliced(descriptor, pieces)
        with _raising(self.source):
            super().__init__(self.source)

    def seekable(self) -> bool:
        return False

    def read_some(self, samples: int) -> tuple[Pcm, soundfile.LibsndfileError | None]:
        """The next samples [T, C], and the error that kept them from being more."""
        pcm: Pcm = np.full((samples, self.channels), np.nan, dtype=np.float32)
        try:
            with _raising(self.source):
                return self.read(out=pcm), None
        except soundfile.LibsndfileError as error:
            missing = np.isnan(pcm[:, 0])  # libsndfile says how many it gave, soundfile does not
            return pcm[: int(missing.argmax()) if missing.any() else samples], error


@contextmanager
def _raising(source: Spliced) -> Iterator[None]:
    """Raise what went wrong in reading the file below, and not what libsndfile made of it."""
    try:
        yield
    finally:
        if source.error:
            raise source.error


@dataclass(frozen=True)
class _Recording:
    """One recording: its pieces, the samples that its header promises, and its length."""

    pieces: list[Piece]
    info: AudioInfo
    promised: int | None


class SoundFiles:
    """The recordings `parts` of an open file as one stream of samples.

    Attributes:
        info: what the first of them says of itself, and the length of all.
        intake: what those promise that were begun; damage is noted there, and ends a recording.
        strings: tags of the first that libsndfile knows, by their names in lower case.

    Raises `LibsndfileError` for what is no audio, also where damage comes before all samples, and
    `UnsupportedAudio` where sample rates or channel counts differ.
    """

    def __init__(self, descriptor: int, parts: list[Part], name: str) -> None:
        self._descriptor = descriptor
        self._file: _SequentialFile | None = None
        self._given = 0
        self.intake = Intake()
        self.strings: dict[str, str] = {}
        self._left: list[_Recording] = []
        for part in parts:
            self._look_at(part)
        if len(parts) > 1:  # whose tags, but for the first one's, the output has no place for
            self.intake.faults.append(f"{len(parts)} recordings are joined in it")
        self.info = _joined([recording.info for recording in self._left], name)
        self.intake.sample_rate, self.intake.promised = self.info.sample_rate, 0

    def _look_at(self, part: Part) -> None:
        """Add a recording, unless it cannot be read; an error for the first."""
        try:
            with _SequentialFile(self._descriptor, part.pieces) as file:
                self._left.append(_recording(file, part))
                self.strings = self.strings or file.copy_metadata()
        except soundfile.LibsndfileError as error:
            if not self._left:
                raise
            self._damage(f"one of its recordings cannot be read ({_cause(error)})")
        self.intake.faults += part.faults
        self.intake.damaged |= part.damaged

    def _damage(self, fault: str) -> None:
        self.intake.damaged = True
        self.intake.faults.append(fault)

    def read(self, samples: int) -> Pcm:
        """The next samples [T, C]; fewer than asked for only at the end."""
        made: list[Pcm] = [np.zeros((0, self.info.channels), dtype=np.float32)]
        while samples and self._left:
            if self._file is None:
                self._file = _SequentialFile(self._descriptor, self._left[0].pieces)
            pcm, error = self._file.read_some(samples)
            made.append(pcm)
            samples -= len(pcm)
            self._given += len(pcm)
            if error and not self.intake.promised and not self._given:
                raise error
            if error:
                at = self._given / self.info.sample_rate
                self._damage(f"damaged at {at:.3f} s ({_cause(error)})")
            if error or samples:
                self._end()
        return np.concatenate(made)

    def _end(self) -> None:
        """Of the recording that is read: count what it promised, else what it gave."""
        promised = self._left.pop(0).promised
        assert self.intake.promised is not None, "it begins with 0"
        self.intake.promised += self._given if promised is None else promised
        self._given = 0
        self.close()

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


def _cause(error: soundfile.LibsndfileError) -> str:
    return error.error_string.removeprefix("Error : ").removesuffix(".")


def _recording(file: _SequentialFile, part: Part) -> _Recording:
    found = file.frames if file.frames < _MANY else None
    samples = found if part.samples == FROM_FRAMES else part.samples
    promised = found if part.promised == FROM_FRAMES else part.promised
    if promised is not None and part.cut_bytes:
        width = _SAMPLE_BYTES.get(file.subtype)
        least = part.cut_bytes * promised // (part.held_bytes or 1)  # of compressed samples
        promised += part.cut_bytes // (width * file.channels) if width else max(1, least)
    info = AudioInfo(file.samplerate, file.channels, file.subtype, samples)
    return _Recording(part.pieces, info, promised)


def _joined(infos: list[AudioInfo], name: str) -> AudioInfo:
    """What recordings are together. Raises `UnsupportedAudio`."""
    layouts = {(info.sample_rate, info.channels): None for info in infos}
    if len(layouts) > 1:
        found = ", ".join(f"{rate} Hz with {channels} channels" for rate, channels in layouts)
        raise UnsupportedAudio(f"{name}: its recordings differ and cannot be joined ({found})")
    lengths = [info.samples for info in infos if info.samples is not None]
    return replace(infos[0], samples=sum(lengths) if len(lengths) == len(infos) else None)
