"""The help: sentences, examples that parse, exit codes, and nothing beyond 80 columns."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from nacli.cli import main
from nacli.errors import exit_codes

COMMANDS = sorted(main.commands)
OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[-1]}")
    for name, command in sorted(main.commands.items())
    for option in command.params
    if isinstance(option, click.Option)
]


def help_of(*command: str) -> str:
    done = CliRunner().invoke(main, [*command, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    return done.stdout


def examples(text: str) -> list[str]:
    """Every `nacli` command under the heading of the examples."""
    lines = text.partition("\n  Examples:\n")[2].splitlines()
    parts = [part.strip() for line in lines for part in line.split("|")]
    return [part for part in parts if part.startswith("nacli ")]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_a_help_screen_fits_80_columns(command: list[str]) -> None:
    assert max(map(len, help_of(*command).splitlines())) <= 80


def test_the_list_of_commands_is_not_cut_off() -> None:
    listed = help_of().partition("\nCommands:\n")[2].splitlines()[: len(COMMANDS)]
    assert [line.split()[0] for line in listed] == COMMANDS
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_explained_in_sentences(option: click.Option) -> None:
    text = re.sub(r"  \[default: [^]]*\]$", "", option.help or "")
    assert re.match(r"[A-Z0-9]", text)
    assert text.endswith(".")
    assert len(text.split()) >= 4, "a subject and a verb need some words"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_are_valid_commands(name: str) -> None:
    found = examples(help_of(name))
    assert found
    for example in found:
        _, command, *arguments = shlex.split(re.sub(r"[<>] ?\S+", "", example))
        assert command == name
        main.commands[name].make_context(name, arguments)


def test_every_exit_code_is_in_the_help_with_its_cause() -> None:
    lines = help_of().partition("\n  Exit codes:\n")[2].splitlines()
    listed = {int(code): cause for code, cause in (line.split(maxsplit=1) for line in lines)}
    assert listed == exit_codes()
    assert all(cause.endswith(".") for cause in listed.values())
