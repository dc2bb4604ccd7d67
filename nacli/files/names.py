"""File names: which extensions hold audio, and how names appear in messages and JSON."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from nacli.errors import NacliError

AUDIO_EXTENSIONS = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"}
AUDIO_EXTENSIONS |= {".aifc", ".au", ".bwf", ".caf", ".mp2", ".rf64", ".snd", ".w64", ".wave"}
"""Extensions of the audio files that are searched for in a folder. A file that is named itself may
have any extension."""

FFMPEG_EXTENSIONS = {".3gp", ".aac", ".ac3", ".amr", ".ape", ".avi", ".dff", ".dsf", ".dts"}
FFMPEG_EXTENSIONS |= {".eac3", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4"}
FFMPEG_EXTENSIONS |= {".mpc", ".mpg", ".spx", ".tta", ".webm", ".wma", ".wmv", ".wv"}
"""Extensions of audio and video that libsndfile cannot read but ffmpeg can."""


def ffmpeg_command(path: str) -> str:
    """Return the shell command that encodes a file which only ffmpeg can decode."""
    source, target = (shlex.quote(name) for name in (path, os.path.splitext(path)[0] + ".nac"))
    return f"ffmpeg -i {source} -f wav - | nacli encode - -o {target}"


def input_name(path: str) -> str:
    """Return the name of an input in messages."""
    return "standard input" if path == "-" else path


def utf8_text(text: str) -> str:
    """Return text, such as a file name, that JSON can hold.

    Python keeps each byte of a name that is not UTF-8 as half of a surrogate pair; here it becomes
    U+FFFD.
    """
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the name of an input in front of error messages that do not begin with it."""
    name = input_name(path)
    try:
        yield
    except NacliError as error:
        if not str(error).startswith(f"{name}: "):
            error.args = (f"{name}: {error}",)
        raise
