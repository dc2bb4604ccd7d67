"""Runs the command in this process, on small recordings in the present folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner, Result

from nacli.cli import main

RATE = 16_000
OLD = 1_000_000_000
"""A time of modification that no new file has."""


def nacli(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def write(path: str, seconds: float = 0.5) -> None:
    soundfile.write(path, [0.1] * round(seconds * RATE), RATE, subtype="PCM_16")


def write_old_tone(path: Path, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = 0.3 * np.sin(0.1 * np.arange(round(seconds * RATE)))
    soundfile.write(path, pcm, RATE, subtype="PCM_16")
    os.utime(path, (OLD, OLD))
    return path


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
