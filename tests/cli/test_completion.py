"""Shell completion: paths complete as paths, in the words of click's protocol for each shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nacli.cli import main

PATH_METAVARS = {"INPUT...", "FILE|FOLDER...", "OUT", "DIR", "FILE", "PATH", "FOLDER"}
ROOT = Path(__file__).parents[2]

PARAMETERS = [
    pytest.param(command, parameter, id=f"{name} {parameter.name}")
    for name, command in sorted(main.commands.items())
    for parameter in command.params
    if parameter.metavar in PATH_METAVARS
]


@pytest.mark.parametrize(("command", "parameter"), PARAMETERS)
def test_a_path_completes_as_a_path(command: click.Command, parameter: click.Parameter) -> None:
    context = click.Context(command)
    kind = "dir" if parameter.metavar in {"DIR", "FOLDER"} else "file"
    [item] = parameter.shell_complete(context, "ta")
    assert (item.type, item.value) == (kind, "ta")


@pytest.mark.parametrize(("command", "parameter"), PARAMETERS)
def test_a_path_is_not_checked_by_the_parser(
    command: click.Command, parameter: click.Parameter, tmp_path: Path
) -> None:
    """What is missing, a folder, or stdin is up to nacli, which has its own errors."""
    context = click.Context(command)
    for path in (str(tmp_path), str(tmp_path / "none"), "-", ""):
        assert str(parameter.type.convert(path, parameter, context)) in {path, "."}


def complete(shell: str, *words: str) -> str:
    """What the command answers when `shell` asks it to complete the last of `words`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_NACLI_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(words[:-1]) if shell == "fish" else " ".join(words),
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1),
    }
    command = [sys.executable, "-m", "nacli"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


ANSWERS = {"bash": "{0},ta", "zsh": "{0}\nta\n_", "fish": "{0},ta"}


@pytest.mark.parametrize("shell", ANSWERS)
def test_shells_complete_files_and_folders(shell: str) -> None:
    assert complete(shell, "nacli", "encode", "ta") == ANSWERS[shell].format("file")
    assert complete(shell, "nacli", "encode", "--output-dir", "ta") == ANSWERS[shell].format("dir")
