"""Arguments that are paths: shells complete them as such.

Nothing is checked here, since nacli's own errors name the cause and have their own exit codes.
"""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

PATH: click.ParamType[str] = click.Path(readable=False)
"""A file or a folder, "-" included, as text."""
PATH_OBJECT: click.ParamType[Path] = click.Path(readable=False, path_type=Path)


def complete_folders(_: click.Context, __: click.Parameter, text: str) -> list[CompletionItem]:
    """Complete the value of an option that names a folder (`shell_complete` of click)."""
    return [CompletionItem(text, type="dir")]
