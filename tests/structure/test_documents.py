"""The documents: links and named files exist, and the changelog has the version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nacli import __version__

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "models").glob("*.md"),
    ROOT / "nacli" / "format" / "FORMAT.md",
]
PLACES = ("", "nacli", "docs")
"""Folders that the names of files in documents start from."""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_named_files_exist(path: Path) -> None:
    text = path.read_text()
    links = {" ".join(link.split()) for link in re.findall(r"\]\(([^)#]+)", text)}
    broken = {link for link in links if "://" not in link and not (path.parent / link).exists()}
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_-]+\.(?:py|md|svg|json|magic))`", text))
    own = {name for name in named if not name.startswith("tests/baseline")}  # of the user's project
    missing = {name for name in own if not any((ROOT / at / name).exists() for at in PLACES)}
    assert not broken | missing


def test_the_changelog_describes_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
