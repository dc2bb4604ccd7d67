"""The product does not depend on the training, nor the training on its commands."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = {path.stem for path in (ROOT / "scripts").glob("*.py")}


def imported(path: Path) -> set[str]:
    """Return the first parts of the names of all modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("nacli", {"training", "scripts"} | SCRIPTS), ("training", {"scripts", "tests"} | SCRIPTS)],
)
def test_imports_go_from_scripts_to_training_to_the_product(
    folder: str, forbidden: set[str]
) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        # the standard library and packages share no name with a script
        assert not imported(path) & forbidden, path
