"""Runs the command as a process, on small recordings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from terminal import PYTHONPATH, run_on_terminal

FAKE = [sys.executable, str(Path(__file__).with_name("fake_model.py"))]
REAL = [sys.executable, "-m", "nacli"]

ENVIRONMENT = {**os.environ, "PYTHONPATH": PYTHONPATH, "OMP_NUM_THREADS": "1"}
RATE = 16_000

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def run(
    command: list[str], *arguments: str, cwd: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=ENVIRONMENT,
        check=False,
    )


@pytest.fixture
def nacli(tmp_path: Path) -> Run:
    """A function that runs the command in `tmp_path` with the fake model. Stderr is a wide terminal
    with progress bars, of which the result has the final screen. (Batches are tested on pipes.)"""

    def run_here(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        shown = run_on_terminal([*FAKE, *arguments], cwd=tmp_path, stdin=stdin, columns=1000)
        text = "".join(f"{line}\n" for line in shown.screen).encode()
        return subprocess.CompletedProcess(arguments, shown.code, shown.stdout, text)

    return run_here


def tone(seconds: float = 2.0, channels: int = 1) -> np.ndarray:
    time_axis = np.arange(round(seconds * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * np.outer(time_axis, 200 + 50 * np.arange(channels)))


def write_tone(path: Path, seconds: float = 2.0, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, tone(seconds), RATE, subtype=subtype)
    return path


def files(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def assert_failed(done: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
    """One clear line on stderr, and the exit code of the cause."""
    text = done.stderr.decode()
    assert done.returncode == code, text
    assert text.startswith("nacli: ")
    assert text.count("\n") == 1
    for word in words:
        assert word in text
