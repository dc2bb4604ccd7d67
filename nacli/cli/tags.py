"""Tags on the command line: what --tag takes, and what is said of those that got lost."""

from __future__ import annotations

from collections.abc import Sequence

import click

from nacli.cli.group import one_line
from nacli.format import check_tag

MAX_NAMES = 10
MAX_NAME = 60
"""Names of dropped tags in a line, and their letters; a crafted file would have thousands."""


def check_tags(_: click.Context, __: click.Parameter, tags: tuple[str, ...]) -> tuple[str, ...]:
    """The values of --tag, each NAME=VALUE or NAME=; a usage error for others."""
    for tag in tags:
        try:
            check_tag(tag)
        except ValueError as error:
            raise click.BadParameter(one_line(str(error))) from error
    return tags


def dropped_line(job: str, dropped: Sequence[str]) -> str:
    """One line about tags and pictures that `job` could not keep."""
    names = [one_line(name[:MAX_NAME]) for name in dict.fromkeys(dropped)]
    if len(names) > MAX_NAMES:
        names[MAX_NAMES:] = [f"{len(names) - MAX_NAMES} more"]
    return f"{job}  dropped: {', '.join(names)}"
