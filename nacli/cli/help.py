"""The text under the options in the help. Click keeps the lines of a paragraph marked \\b."""

from __future__ import annotations

from collections.abc import Iterable

from nacli.errors import exit_codes


def examples(*commands: str) -> str:
    """Return the list of examples for a command."""
    return _block("Examples", commands)


def exit_code_list() -> str:
    """Return the list of exit codes, each with its cause."""
    return _block("Exit codes", [f"{code:<3}  {cause}" for code, cause in exit_codes().items()])


def _block(title: str, lines: Iterable[str]) -> str:
    return "\n".join(["\b", f"{title}:", *(f"  {line}" for line in lines)])
