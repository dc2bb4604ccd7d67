"""Tags on the command line: the options that set them, and the line about dropped ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from nacli.cli.group import one_line
from nacli.cli.paths import PATH
from nacli.format import MAX_PICTURE_BYTES, check_tag

SHORTHANDS = ("title", "artist", "album", "date")
"""Tags that have options of their own."""
MAX_NAMES = 10
"""Number of dropped tags that a line names; a crafted file may have thousands."""
MAX_NAME = 60
"""Characters of such a name that are printed."""


def tagging(function: Callable[..., None]) -> Callable[..., None]:
    """Add --tag, its shorthands and --picture; the command gets `tags` and `picture`."""

    @wraps(function)
    def command(*shared: Any, tags: tuple[str, ...], **values: Any) -> None:
        short = [tag for name in SHORTHANDS for tag in values.pop(name)]
        function(*shared, tags=(*short, *tags), **values)

    for decorate in reversed(_options()):
        command = decorate(command)
    return command


def _options() -> list[Callable[..., Any]]:
    shorthands = [
        click.option(
            f"--{name}",
            multiple=True,
            callback=_check_shorthand,
            metavar="TEXT",
            help=f"This is the same as --tag {name.upper()}=TEXT.",
        )
        for name in SHORTHANDS
    ]
    return [
        click.option(
            "--tag",
            "tags",
            multiple=True,
            callback=check_tags,
            metavar="NAME=VALUE",
            help="This tag replaces the input's; NAME= removes it. The option may be repeated.",
        ),
        *shorthands,
        click.option(
            "--picture",
            type=PATH,
            callback=_check_picture,
            metavar="FILE",
            help="This image replaces the input's picture as the front cover: JPEG, PNG, GIF or "
            f"WebP, at most {MAX_PICTURE_BYTES >> 20} MiB.",
        ),
    ]


def _check_shorthand(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the tags for the values of an option such as --title."""
    assert option.name is not None
    return check_tags(context, option, tuple(f"{option.name.upper()}={text}" for text in values))


def _check_picture(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """Read the file once, so that an error comes before any work; return its name."""
    from nacli.jobs.resources import load_picture

    if path is not None:
        load_picture(path)
    return path


def check_tags(_: click.Context, __: click.Parameter, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return tags of the form NAME=VALUE or NAME=; raise a usage error for others."""
    for tag in tags:
        try:
            check_tag(tag)
        except ValueError as error:
            raise click.BadParameter(one_line(str(error))) from error
    return tags


def dropped_line(job: str, dropped: Sequence[str]) -> str:
    """Return one line about tags and pictures that the output of `job` has no place for."""
    names = [one_line(name[:MAX_NAME]) for name in dict.fromkeys(dropped)]
    if len(names) > MAX_NAMES:
        names[MAX_NAMES:] = [f"{len(names) - MAX_NAMES} more"]
    return f"{job}  dropped: {', '.join(names)}"
