"""Tags on the command line: the options that set them, and what is said of those that got lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from nacli.cli.group import one_line
from nacli.format import MAX_PICTURE_BYTES, check_tag

SHORTHANDS = ("title", "artist", "album", "date")
"""Tags that have options of their own."""
MAX_NAMES = 10
MAX_NAME = 60
"""Names of dropped tags in a line, and their letters; a crafted file would have thousands."""


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
            help=f"The same as --tag {name.upper()}=TEXT.",
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
            help="Set a tag in place of the input's; repeat it for more. NAME= removes one.",
        ),
        *shorthands,
        click.option(
            "--picture",
            callback=_check_picture,
            metavar="FILE",
            help="Set the front cover in place of the input's picture: JPEG, PNG, GIF or WebP, "
            f"at most {MAX_PICTURE_BYTES >> 20} MiB.",
        ),
    ]


def _check_shorthand(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """The tags that the values of an option such as --title stand for."""
    assert option.name is not None
    return check_tags(context, option, tuple(f"{option.name.upper()}={text}" for text in values))


def _check_picture(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """The name of the file, which has been read once: what is wrong with it is said at once."""
    from nacli.jobs.task import load_picture

    if path is not None:
        load_picture(path)
    return path


def check_tags(_: click.Context, __: click.Parameter, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Tags as options give them, each NAME=VALUE or NAME=; a usage error for others."""
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
