"""Standard streams: open those that are closed at the start, and capture stderr of libraries."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

CAPTURE_BYTES = 1 << 16
"""Largest number of bytes that is kept of the messages of libraries."""
MAX_NOTE = 200
"""Characters of a message that are shown."""


def open_closed_streams() -> None:
    """Open the descriptors 0 to 2 that are closed, as services and `2>&-` leave them.

    Otherwise the next file to be opened would get their numbers, and messages of libraries would
    be written into it. Reading stdin and writing stdout fail afterwards with EBADF, as they should;
    messages to stderr are lost.
    """
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        if _is_closed(number):
            null = os.open(os.devnull, flags)
            os.dup2(null, number)
            os.set_inheritable(number, True)  # worker processes need them too
            if null > 2:
                os.close(null)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)


def _is_closed(number: int) -> bool:
    """Tell whether a descriptor is closed. A read-only stderr counts as closed: some programs, such
    as `env`, open a closed stderr so."""
    try:
        flags = fcntl.fcntl(number, fcntl.F_GETFL)
    except OSError:
        return True
    return number == 2 and flags & os.O_ACCMODE == os.O_RDONLY


def drop_output(stream: TextIO) -> None:
    """Discard the buffered output of a stream that cannot be written, and all later output. The
    buffer would fail again when Python exits."""
    with suppress(OSError):  # a stream without a descriptor, as in tests
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


@contextmanager
def captured_libraries() -> Iterator[Callable[[], list[str]]]:
    """Capture, within the body, the text that C libraries write to file descriptor 2.

    Yields a function that returns the lines since its last call. Python's own `sys.stderr` is not
    captured, in any thread; processes that the body starts are. This is for the command line only,
    since it changes a descriptor of the process.
    """
    captured, end = os.pipe()
    for descriptor in (captured, end):  # writers to a full pipe must not wait
        os.set_blocking(descriptor, False)
    stderr, original = sys.stderr, os.dup(2)
    if stderr is not None and _descriptor(stderr) == 2:
        stderr.flush()
        sys.stderr = open(
            original,
            "w",
            buffering=1,
            encoding=stderr.encoding,
            errors=stderr.errors,
            closefd=False,
        )
    os.dup2(end, 2)
    os.close(end)
    try:
        yield lambda: _lines(captured)
    finally:
        if sys.stderr is not stderr:
            with suppress(OSError):  # the terminal may be gone
                sys.stderr.flush()
        os.dup2(original, 2)
        sys.stderr = stderr
        os.close(original)
        os.close(captured)


def library_notes(lines: list[str]) -> list[str]:
    """Return at most one sentence, in a list, about the lines that a library wrote."""
    if not lines:
        return []
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return [f"the audio library says: {lines[0][:MAX_NOTE]}{more}"]


def _lines(descriptor: int) -> list[str]:
    """Return the lines that are in a pipe."""
    data = b""
    with suppress(BlockingIOError):
        while block := os.read(descriptor, CAPTURE_BYTES):
            data = (data + block)[:CAPTURE_BYTES]
    lines = (line.strip() for line in data.decode(errors="replace").splitlines())
    return [line for line in lines if line]


def _descriptor(stream: TextIO) -> int | None:
    """Return the file descriptor of a stream; None if it has none, as in tests."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
