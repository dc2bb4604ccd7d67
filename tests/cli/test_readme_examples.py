"""The README's examples run, in their order and in a folder that has nothing but the clip of a
fresh clone: the commands of its first screen, what its `console` blocks type, and its Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from nacli import errors

ROOT = Path(__file__).parents[2]
CLIP = "tests/data/talk.flac"
FRAMES = 72_000
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the start of the clip in its place, and the command `nacli` in bin/; the first
    screen has been typed."""
    path = tmp_path_factory.mktemp("readme")
    pcm, rate = soundfile.read(ROOT / CLIP, frames=FRAMES)
    (path / CLIP).parent.mkdir(parents=True)
    soundfile.write(path / CLIP, pcm, rate)
    command = path / "bin" / "nacli"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nacli "$@"\n')
    command.chmod(0o755)
    first = [line for line in blocks("sh")[0].splitlines() if line.startswith("nacli ")]
    assert len(first) == 2
    run(["bash", "-euc", "\n".join(first)], path)
    return path


def test_the_first_screen_ends_with_sound(folder: Path) -> None:
    """Its other lines install nacli, which takes minutes."""
    opening = blocks("sh")[0]
    assert README.index(opening) < README.index("\n## ")
    assert all(line.startswith(("nacli ", "python3 ", "pip ")) for line in opening.splitlines())
    assert soundfile.info(folder / "talk.wav").frames == FRAMES


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
        assert soundfile.info(folder / name).frames == FRAMES


def test_the_python_example(folder: Path) -> None:
    (example,) = blocks("python")
    run([sys.executable, "-c", example], folder)


def test_every_exit_code_is_in_the_table() -> None:
    described = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    codes = {getattr(value, "exit_code", 0) for value in vars(errors).values()}
    assert described >= {0, 2} | codes
