"""Standard streams: those that were closed at the start, and what libraries write to stderr."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

CAPTURE_BYTES = 1 << 16
"""What is read of the messages of libraries; the rest is thrown away."""
MAX_NOTE = 200


def open_closed_streams() -> None:
    """Open the descriptors 0 to 2 that are closed, as services and `2>&-` leave them.

    Otherwise the next file to be opened would take their numbers, and messages of libraries would
    be written into it. Reading stdin and writing stdout fail afterwards (EBADF), as they must where
    somebody asks for them; what is written to stderr is lost.
    """
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        if _is_closed(number):
            null = os.open(os.devnull, flags)
            os.dup2(null, number)
            os.set_inheritable(number, True)  # worker processes have the same three
            if null > 2:
                os.close(null)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)


def _is_closed(number: int) -> bool:
    """A stderr that cannot be written counts: as which `env` and others open a closed one."""
    try:
        flags = fcntl.fcntl(number, fcntl.F_GETFL)
    except OSError:
        return True
    return number == 2 and flags & os.O_ACCMODE == os.O_RDONLY


def drop_output(stream: TextIO) -> None:
    """Throw away what a stream cannot write now, and what is written to it from now on: what stays
    in its buffer would fail again when Python exits."""
    with suppress(OSError):  # a stream that is no file, as in tests
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


@contextmanager
def captured_libraries() -> Iterator[Callable[[], list[str]]]:
    """Within the body, what C libraries write to file descriptor 2 is kept instead of shown; the
    call that is handed out returns the lines that came since the last call.

    Python's own `sys.stderr` goes where it went before, in all threads, and processes that the body
    starts write to what is kept. For the command line only: it moves a descriptor of the process.
    """
    kept, end = os.pipe()
    for descriptor in (kept, end):  # a full pipe takes no more, and nobody waits for it
        os.set_blocking(descriptor, False)
    stderr, moved = sys.stderr, os.dup(2)
    if stderr is not None and _descriptor(stderr) == 2:
        stderr.flush()
        sys.stderr = open(
            moved, "w", buffering=1, encoding=stderr.encoding, errors=stderr.errors, closefd=False
        )
    os.dup2(end, 2)
    os.close(end)
    try:
        yield lambda: _lines(kept)
    finally:
        if sys.stderr is not stderr:
            with suppress(OSError):  # a terminal that is gone
                sys.stderr.flush()
        os.dup2(moved, 2)
        sys.stderr = stderr
        os.close(moved)
        os.close(kept)


def library_notes(lines: list[str]) -> list[str]:
    """At most one sentence about what a library wrote."""
    if not lines:
        return []
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return [f"the audio library says: {lines[0][:MAX_NOTE]}{more}"]


def _lines(descriptor: int) -> list[str]:
    data = b""
    with suppress(BlockingIOError):
        while block := os.read(descriptor, CAPTURE_BYTES):
            data = (data + block)[:CAPTURE_BYTES]
    lines = (line.strip() for line in data.decode(errors="replace").splitlines())
    return [line for line in lines if line]


def _descriptor(stream: TextIO) -> int | None:
    """The file descriptor of a stream; None where it has none, as in tests."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
