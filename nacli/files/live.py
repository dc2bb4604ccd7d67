"""Live input: a signal ends it as if the stream had ended, so that the output is finished.

`arecord | nacli encode - -o talk.nac` is ended by Ctrl-C, which reaches both programs at once.
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
GRACE_SECONDS = 0.2
GRACE_BYTES = 1 << 20
"""What is in the pipe when the signal comes, or comes so soon after it, is still taken: the last
words of a recorder. But not for ever, where the pipe is never empty."""


class Stop:
    """Whether a signal has asked for the end, and which. A context manager, which listens.

    The handler raises nothing, so that no bytes are lost that have been read: it wakes the read
    that waits, by a pipe of its own.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._deadline, self._left = 0.0, GRACE_BYTES

    def __enter__(self) -> Stop:
        self._wake, self._woken = os.pipe()
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._before.items():
            if handler != signal.SIG_IGN:  # as nohup has it
                signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._wake)
        os.close(self._woken)

    def _ask(self, number: int, _: object) -> None:
        if self.number is not None:  # a second signal ends the process at once
            leave(number)
        self.number, self._deadline = number, time.monotonic() + GRACE_SECONDS
        os.write(self._woken, b"!")

    def read(self, stream: BinaryIO, size: int) -> bytes:
        """The next bytes of a stream; once the end has been asked for, those that are there."""
        if self.number is None:
            select.select([stream.fileno(), self._wake], [], [])
        if self.number is not None:
            wait = max(0.0, self._deadline - time.monotonic())
            if self._left <= 0 or not select.select([stream], [], [], wait)[0]:
                return b""
            self._left -= size
        data: bytes = stream.read1(size)  # type: ignore[attr-defined]
        return data


_stop: Stop | None = None


def read_live(stream: BinaryIO, size: int) -> bytes:
    """The bytes of a stream that come next, at most `size` of them; none at its end."""
    if _stop is not None:
        return _stop.read(stream, size)
    data: bytes = stream.read1(size)  # type: ignore[attr-defined]
    return data


class LiveStream:
    """A stream whose reads return what there is, and nothing once a signal has ended it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return read_live(self._stream, size)


def is_live(path: str) -> bool:
    """Whether an input may still be growing while it is read: stdin, a named pipe, a device."""
    try:
        found = os.fstat(sys.stdin.fileno()) if path == "-" else os.stat(path)
    except (OSError, AttributeError):  # no such file, or a stdin that is closed or no file
        return False
    return not stat.S_ISREG(found.st_mode)


@contextmanager
def ending_gently(path: str) -> Iterator[None]:
    """Within the body, a signal ends live input; after the body, it ends the process as it would
    have. Input that is a file can be read again: there a signal stops the work at once."""
    global _stop
    if not is_live(path) or not _has_the_signals():
        yield
        return
    try:
        with Stop() as _stop:
            yield
            asked = _stop.number
    finally:
        _stop = None
    if asked is not None:
        leave(asked, ": what had come by then is in the output")


def _has_the_signals() -> bool:
    """Whether signals are ours to take: not in threads, nor in the workers of a batch."""
    from multiprocessing import parent_process

    return threading.current_thread() is threading.main_thread() and parent_process() is None


def leave(number: int, remark: str = "") -> None:
    """End as the signal asks for: by the exceptions that the command line knows. `remark` is for
    who has pressed Ctrl-C."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt(remark)
    sys.exit(128 + number)
