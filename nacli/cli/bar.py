"""A progress bar on the terminal, and lines that do not collide with it."""

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
"""Columns that the meter may take; it is left out where fewer are free."""
MIN_LABEL = 8
FREE = 3
"""Columns that stay free: a terminal shows ^C behind the line, which must not wrap."""


def has_bars() -> bool:
    """Whether stderr is a terminal on which a line can be replaced."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@dataclass(frozen=True)
class Line:
    """What a bar shows: `share` is the part that is done, None while the whole is unknown."""

    text: str
    share: float | None = None
    label: str = ""


class Bar:
    """The last line of the terminal, while work goes on that takes longer than a moment.

    A context manager: the line is erased at the end, whatever ends the body.
    """

    DELAY = 1.0
    INTERVAL = 0.1

    def __init__(self, shown: bool) -> None:
        self._shown, self._drawn = shown, ""
        self._due = time.monotonic() + self.DELAY

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("")

    def show(self, line: Callable[[], Line]) -> None:
        """Draw the line anew, unless that was done a moment ago."""
        if self._shown and (now := time.monotonic()) >= self._due:
            self._due = now + self.INTERVAL
            self._draw(fit(line(), columns() - FREE))

    @contextmanager
    def above(self) -> Iterator[None]:
        """What the body says on stderr stands above the bar."""
        drawn = self._drawn
        self._draw("")
        yield
        self._draw(drawn)

    def _draw(self, text: str) -> None:
        if not text and not self._drawn:
            return
        self._drawn = text  # first: an interrupt may come while it is written
        try:
            sys.stderr.write(f"\r{text}{ERASE[1:]}" if text else ERASE)
            sys.stderr.flush()
        except OSError:  # the terminal is gone, and the work goes on
            self._shown, self._drawn = False, ""


def columns() -> int:
    """The width of the terminal that stderr is; 80 where it does not say."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def fit(line: Line, room: int) -> str:
    """A line in at most `room` columns: first the meter goes, then the label, then the end."""
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
    """A name in `room` columns, without its middle where it is longer; nothing if that is too
    little to know it by."""
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
    """Columns of a terminal that `text` takes."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
