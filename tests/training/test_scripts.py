"""Every script is a click command with help, and its file says what it does."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

FILES = sorted((Path(__file__).parents[2] / "scripts").glob("*.py"))
SCRIPTS = [path for path in FILES if "__main__" in path.read_text()]
"""All but `hard_cases.py`, which other scripts import."""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_has_help(path: Path) -> None:
    if getattr(path, "stem", path) in ("plot_quality", "sheets"):
        pytest.importorskip("matplotlib")  # of the extra `bench`
    module = import_module(path.stem)
    assert Path(str(module.__file__)) == path
    assert (module.__doc__ or "").strip()
    command: click.Command = module.main
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0, result.output
    help_text = " ".join((command.help or "").split())
    assert result.output.startswith("Usage:") and help_text
    assert help_text in " ".join(result.output.split())
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert option in result.output
