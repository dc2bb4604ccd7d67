"""The README's examples run: what its `console` blocks type, and its Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nacli import errors

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with talk.wav, and the command `nacli` in bin/."""
    path = tmp_path_factory.mktemp("readme")
    tone = 0.3 * np.sin(np.arange(48_000) * 0.1)
    soundfile.write(path / "talk.wav", tone, 16_000)
    command = path / "bin" / "nacli"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nacli "$@"\n')
    command.chmod(0o755)
    return path


def run(command: list[str], folder: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_console_examples(folder: Path) -> None:
    typed = [
        line[2:] for block in blocks("console") for line in block.splitlines() if line[:2] == "$ "
    ]
    assert len(typed) > 5
    run(["bash", "-euo", "pipefail", "-c", "\n".join(typed)], folder)
    for name in ("again.flac", "live.wav"):
        assert soundfile.info(folder / name).frames == 48_000


def test_the_python_example(folder: Path) -> None:
    (example,) = blocks("python")
    run([sys.executable, "-c", example], folder)


def test_every_exit_code_is_in_the_table() -> None:
    described = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    codes = {getattr(value, "exit_code", 0) for value in vars(errors).values()}
    assert described >= {0, 2} | codes
