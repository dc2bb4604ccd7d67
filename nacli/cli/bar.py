"""A progress bar on the terminal, and messages above it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

ERASE = "\r\x1b[K"
METER = range(10, 25)
"""Widths of the meter in columns; it is left out where fewer are free."""
MIN_LABEL = 8
"""Least width of a shortened label in columns; below it the label is left out."""
FREE = 3
"""Columns that stay free: a terminal prints ^C behind the line, which must not wrap."""


def has_bars() -> bool:
    """Return whether stderr is a terminal on which a line can be replaced."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@dataclass(frozen=True)
class Line:
    """The content of a bar. `share` is the part that is done, None while the total is unknown."""

    text: str
    share: float | None = None
    label: str = ""


class Bar:
    """A bar in the last line of the terminal during work that takes longer than a second.

    A context manager: the bar is erased at the end, also after an error.
    """

    DELAY = 1.0
    """Seconds before the bar appears."""
    INTERVAL = 0.1
    """Least time between two drawings, in seconds."""

    def __init__(self, shown: bool) -> None:
        self._shown, self._drawn = shown, ""
        self._due = time.monotonic() + self.DELAY

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("")

    def show(self, line: Callable[[], Line]) -> None:
        """Draw the bar, unless it was drawn less than `INTERVAL` ago."""
        if self._shown and (now := time.monotonic()) >= self._due:
            self._due = now + self.INTERVAL
            self._draw(fit(line(), columns() - FREE))

    @contextmanager
    def above(self) -> Iterator[None]:
        """Put the lines that the body prints on stderr above the bar."""
        drawn = self._drawn
        self._draw("")
        yield
        self._draw(drawn)

    def _draw(self, text: str) -> None:
        if not text and not self._drawn:
            return
        self._drawn = text  # set first, since an interrupt may come while it is written
        try:
            sys.stderr.write(f"\r{text}{ERASE[1:]}" if text else ERASE)
            sys.stderr.flush()
        except OSError:  # the terminal is gone, and the work goes on
            self._shown, self._drawn = False, ""


def columns() -> int:
    """Return the width of the terminal on stderr; 80 where it is unknown."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def fit(line: Line, room: int) -> str:
    """Return a line of at most `room` columns. Where it is too long, the meter is left out first,
    then the label is shortened, then the end is cut."""
    percent = "" if line.share is None else f"{line.share:4.0%} "
    free = room - width(percent) - width(line.text)
    label = shorten(line.label, free - 2)
    if label:
        label += "  "
        free -= width(label)
    meter = ""
    if percent and (size := min(free - 3, METER[-1])) in METER:
        meter = f"[{'#' * round((line.share or 0) * size):{size}}] "
    return _cut(f"{label}{percent}{meter}{line.text}", room)


def shorten(text: str, room: int) -> str:
    """Return a name of at most `room` columns: a longer one loses its middle, and is left out if
    fewer than `MIN_LABEL` columns are free."""
    if width(text) <= room:
        return text
    if room < MIN_LABEL:
        return ""
    start = _cut(text, (room - 3) // 2)
    end = _cut(text[::-1], room - 3 - width(start))[::-1]
    return f"{start}...{end}"


def _cut(text: str, room: int) -> str:
    while text and width(text) > room:
        text = text[:-1]
    return text


def width(text: str) -> int:
    """Return the number of terminal columns that `text` takes."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
