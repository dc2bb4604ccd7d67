"""The duration of an audio file by its header alone."""

from __future__ import annotations

import os

from nacli.audio.pcm import AudioInfo
from nacli.audio.reader import AudioReader


def header_seconds(path: str, raw: AudioInfo | None = None) -> float | None:
    """Return the seconds that the header of a file promises; None if it does not say, and for
    pipes, which are not opened. See `AudioReader` for `raw` and for errors."""
    if path == "-" or not os.path.isfile(path):
        return None
    if raw is None and path.lower().endswith(".mp3"):
        return _mp3_seconds(path)
    with AudioReader(path, raw, tags=False) as reader:
        samples = reader.info.samples
        return None if samples is None else samples / reader.info.sample_rate


def _mp3_seconds(path: str) -> float | None:
    """Return the seconds of an MP3 file by mutagen: libsndfile would decode a part of the file, and
    write messages to stderr."""
    from mutagen.mp3 import MP3

    info = MP3(path).info
    return None if info is None else float(info.length)
