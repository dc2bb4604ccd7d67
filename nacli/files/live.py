"""Live input: a signal ends it like the end of the stream, so that the output is completed.

Ctrl-C ends `arecord | nacli encode - -o talk.nac`, and reaches both programs at once.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end live input."""
GRACE_SECONDS = 0.2
GRACE_BYTES = 1 << 20
"""Bytes that are in the pipe at the signal, or arrive within this time, are still read: the last
samples of a recorder. Their number is limited, since some pipes are never empty."""


class Stop:
    """Records the signal that asks for the end of live input. A context manager that installs the
    handlers.

    A handler that raised could lose bytes that have been read. Instead it wakes the waiting read
    through a pipe.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        """Number of the signal that came."""
        self._deadline, self._left = 0.0, GRACE_BYTES

    def __enter__(self) -> Stop:
        self._wake_read, self._wake_write = os.pipe()
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._handlers.items():
            if handler != signal.SIG_IGN:  # nohup ignores SIGHUP
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _handle(self, number: int, _: object) -> None:
        """Take a signal."""
        if self.number is not None:  # a second signal ends the process at once
            leave(number)
        self.number, self._deadline = number, time.monotonic() + GRACE_SECONDS
        os.write(self._wake_write, b"!")

    def read(self, stream: BinaryIO, size: int) -> bytes:
        """Return the next bytes of a stream. After a signal, return only bytes that are there."""
        if self.number is None:
            select.select([stream.fileno(), self._wake_read], [], [])
        if self.number is not None:
            wait = max(0.0, self._deadline - time.monotonic())
            if self._left <= 0 or not select.select([stream], [], [], wait)[0]:
                return b""
            self._left -= size
        data: bytes = stream.read1(size)  # type: ignore[attr-defined]
        return data


_stop: Stop | None = None


def read_live(stream: BinaryIO, size: int) -> bytes:
    """Return the next bytes of a stream, at most `size`, as soon as there are any; none at its
    end."""
    if _stop is not None:
        return _stop.read(stream, size)
    data: bytes = stream.read1(size)  # type: ignore[attr-defined]
    return data


class LiveStream:
    """A stream whose reads return the bytes that are there, and nothing after a signal ended it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`."""
        return read_live(self._stream, size)


def is_live(path: str) -> bool:
    """Tell whether an input may grow while it is read: a pipe on stdin, a named pipe, a device."""
    try:
        status = os.fstat(sys.stdin.fileno()) if path == "-" else os.stat(path)
    except (OSError, AttributeError):  # no such file, or a stdin that is closed or no file
        return False
    return not stat.S_ISREG(status.st_mode)


@contextmanager
def finishing_on_signals(path: str) -> Iterator[None]:
    """Let a signal end live input within the body, and the process after the body.

    A file can be read again, so for a file a signal stops the work at once.
    """
    global _stop
    if not is_live(path) or not _receives_signals():
        yield
        return
    try:
        with Stop() as _stop:
            yield
            number = _stop.number
    finally:
        _stop = None
    if number is not None:
        leave(number, ": what had come by then is in the output")


def _receives_signals() -> bool:
    """Tell whether this thread may handle signals: threads and workers of a batch may not."""
    from multiprocessing import parent_process

    return threading.current_thread() is threading.main_thread() and parent_process() is None


def leave(number: int, remark: str = "") -> None:
    """Raise the exception with which the command line ends after a signal: `KeyboardInterrupt` with
    `remark` as its message, or `SystemExit`."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt(remark)
    sys.exit(128 + number)
