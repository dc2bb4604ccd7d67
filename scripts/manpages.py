"""Write the manual pages in docs/man from the help of the commands (`make man`).

click-man writes the pages. This script adds the text under the options (examples, exit codes) and
references between pages. The pages have no date, so they change only with the help and the version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click_man.core import generate_man_page

from nacli import __version__
from nacli.cli import main as group

FOLDER = Path(__file__).parents[1] / "docs" / "man"


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    top = click.Context(group, info_name="nacli")
    contexts = [
        click.Context(command, info_name=name, parent=top)
        for name, command in group.commands.items()
        if not command.hidden
    ]
    names = [context.command_path.replace(" ", "-") for context in (top, *contexts)]
    return {
        f"{name}.1": _page(context, [other for other in names if other != name])
        for name, context in zip(names, (top, *contexts), strict=True)
    }


def _page(context: click.Context, others: list[str]) -> str:
    """Return the page of a command, with references to the others."""
    lines = generate_man_page(context, version=__version__, date=" ").splitlines()
    lines = [_escaped(line) for line in lines]
    if context.command.epilog:
        lines += _section(context.command.epilog)
    lines += [".SH SEE ALSO", ", ".join(rf"\fB{_dashed(other)}\fP(1)" for other in others)]
    return "\n".join(lines) + "\n"


def _escaped(line: str) -> str:
    """Escape a line of text that roff would take for a request (".nac files are...")."""
    return rf"\&{line}" if re.match(r"['.](?!(TH|SH|PP|TP|B)\b)", line) else line


def _section(epilog: str) -> Iterator[str]:
    """Yield a section of an epilog: its first line is the title, the others keep their breaks."""
    title, *lines = epilog.removeprefix("\b\n").splitlines()
    yield f".SH {title.rstrip(':').upper()}"
    yield from (".nf", *(_escaped(_dashed(line[2:])) for line in lines), ".fi")


def _dashed(text: str) -> str:
    """Escape hyphens, so that options can be copied from a page to a shell."""
    return text.replace("-", r"\-")


@click.command("manpages")
def main() -> None:
    """Write all pages, and remove those of commands that no longer exist."""
    FOLDER.mkdir(exist_ok=True)
    texts = pages()
    for path in FOLDER.glob("*.1"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
