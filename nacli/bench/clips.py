"""The clips of a benchmark: finding, reading and writing recordings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nacli.audio import AudioInfo, AudioReader, AudioWriter, Resampler
from nacli.errors import UnreadableInput
from nacli.files.names import AUDIO_EXTENSIONS
from nacli.types import Pcm


@dataclass(frozen=True)
class Clip:
    """A recording: its name, its folder, samples [T, C] and rate in Hz."""

    name: str
    group: str
    pcm: Pcm
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.rate


def find_clips(paths: Iterable[str]) -> list[Path]:
    """Return the given files, and the audio files in the given folders, sorted by name.

    Raises:
        UnreadableInput: a folder has no clips, or two clips have the same name and folder name, so
            that the results would not distinguish them.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        clips = _in_folder(path) if path.is_dir() else [path]
        if not clips:
            raise UnreadableInput(f"{path}: there are no clips in this folder")
        found += [clip for clip in clips if clip not in found]
    named: dict[tuple[str, str], Path] = {}
    for clip in found:
        other = named.setdefault(_name(clip), clip)
        if other is not clip:
            raise UnreadableInput(f"{clip}: this clip has the same name and folder as {other}")
    return found


def _name(path: Path) -> tuple[str, str]:
    """Return the name of a clip in the results, and its group, which is the name of its folder."""
    return path.stem, path.absolute().parent.name


def _in_folder(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_EXTENSIONS and p.is_file()
    )


def read_clip(path: Path, seconds: float | None = None, mono: bool = False) -> Clip:
    """Read a clip, or its first `seconds`; `mono` averages its channels.

    Raises the errors of `AudioReader`, and `UnreadableInput` if there are no samples.
    """
    pcm, rate = read_pcm(path, seconds)
    if not len(pcm):
        raise UnreadableInput(f"{path}: the file has no samples")
    if mono:
        pcm = pcm.mean(1, keepdims=True)
    return Clip(*_name(path), pcm, rate)


def read_pcm(path: Path, seconds: float | None = None) -> tuple[Pcm, int]:
    """Return the samples [T, C] of an audio file, or of its first `seconds`, and their rate."""
    with AudioReader(str(path), tags=False) as reader:
        rate, left = reader.info.sample_rate, float("inf")
        if seconds is not None:
            left = round(seconds * rate)
        parts = [np.zeros((0, reader.info.channels), np.float32)]
        for block in reader.blocks(1 << 16):
            parts.append(block[: int(min(left, len(block)))])
            left -= len(block)
            if left <= 0:
                break
        return np.concatenate(parts), rate


def write_pcm(path: Path, pcm: Pcm, rate: int, sample_format: str = "PCM_16") -> None:
    """Write samples [T, C] to an audio file; an existing file is replaced."""
    info = AudioInfo(rate, pcm.shape[1], sample_format, len(pcm))
    with AudioWriter(str(path), info, force=True) as writer:
        writer.write(pcm)


def resample(pcm: Pcm, source: int, target: int) -> Pcm:
    """Return samples [T, C] at another rate."""
    resampler = Resampler(source, target, pcm.shape[1])
    return np.concatenate([resampler.process(pcm), resampler.flush()])
