"""How long the audio of a file is, by its header alone."""

from __future__ import annotations

import os

from nacli.audio.pcm import AudioInfo
from nacli.audio.reader import AudioReader


def header_seconds(path: str, raw: AudioInfo | None = None) -> float | None:
    """The seconds that the header of a file promises; None where it promises none, and for pipes,
    which are not opened. `raw` is that of `AudioReader`, whose errors are raised."""
    if path == "-" or not os.path.isfile(path):
        return None
    if raw is None and path.lower().endswith(".mp3"):
        return _mp3_seconds(path)
    with AudioReader(path, raw, tags=False) as reader:
        samples = reader.info.samples
        return None if samples is None else samples / reader.info.sample_rate


def _mp3_seconds(path: str) -> float | None:
    """libsndfile would decode a part of the file for this, and write its opinion to stderr."""
    from mutagen.mp3 import MP3

    info = MP3(path).info
    return None if info is None else float(info.length)
