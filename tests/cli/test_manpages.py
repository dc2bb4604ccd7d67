"""The manual pages in docs/man are those of the help, complete, and free of roff's warnings."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from nacli.cli import main
from nacli.errors import exit_codes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "man"
PAGES = sorted(FOLDER.glob("*.1"))


def test_the_pages_are_those_of_the_help() -> None:
    pytest.importorskip("click_man")
    from manpages import pages

    found = {path.name: path.read_text() for path in PAGES}
    assert found == pages(), "`make man` renews the pages"


def test_there_is_a_page_for_every_command_and_the_wheel_installs_it() -> None:
    shown = [name for name, command in main.commands.items() if not command.hidden]
    assert {path.name for path in PAGES} == {"nacli.1", *(f"nacli-{name}.1" for name in shown)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    targets = project["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["shared-data"] == {"docs/man": "share/man/man1"}
    assert "/docs" in targets["sdist"]["include"], "a wheel is built from the sdist, too"


def test_the_pages_hold_examples_and_exit_codes() -> None:
    text = {path.stem: path.read_text().replace("\\-", "-") for path in PAGES}
    assert all("\b" not in page for page in text.values())
    for name in ("encode", "decode", "info", "test", "bench"):
        assert f"\n.SH EXAMPLES\n.nf\nnacli {name} " in text[f"nacli-{name}"]
        assert ".." not in text[f"nacli-{name}"].partition(".SH SYNOPSIS")[0], "the name is cut off"
    for code, cause in exit_codes().items():
        assert f"\n{code:<3}  {cause}\n" in text["nacli"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_roff_formats_the_page_without_a_warning(page: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
