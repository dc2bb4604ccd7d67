"""Partial files: what an output is called until it is whole, and how those of the dead are found.

A partial is `.nacli-HOST-RANDOM.part`, locked (flock) by the process that writes it. The kernel
lets go of the lock when that process ends, however it ends, so a lock that is free says that nobody
will finish the file. Over a network, where locks may not reach other machines, only time tells.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

FOREIGN_SECONDS = 24 * 3600
"""How long a partial of another machine, or one that cannot be locked, goes without a write before
it counts as stale."""

_NAME = re.compile(r"\.nacli-(?:(?P<host>.+)-)?[0-9a-f]{16}\.part")


@cache
def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", os.uname().nodename)[:64]


@contextmanager
def open_temporary(folder: Path, mode: int = 0o666) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file in `folder` and its name, which is gone at the end, renamed by then or not. Its
    permissions are `mode`, less the umask, from the start.

    Locked while it is open; where the file system has no locks, its age has to do.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    while True:
        path = folder / f".nacli-{_host()}-{os.urandom(8).hex()}.part"
        try:
            with _closing_quietly(open(path, "x+b", opener=opener)) as stream:
                if _lock(stream.fileno(), otherwise=True) and path.exists():
                    yield stream, path
                    stream.close()  # where this fails, the output has
                    return
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _closing_quietly(stream: BinaryIO) -> Iterator[BinaryIO]:
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()


def remove_stale(folder: str) -> None:
    """Delete the partials in `folder` that nobody writes any more.

    Stale is one that nobody has locked and that is of this machine, or has not been written to for
    a day. What cannot be opened stays.
    """
    try:
        with os.scandir(folder or ".") as entries:
            names = [(entry.path, _NAME.fullmatch(entry.name)) for entry in entries]
    except OSError:
        return
    for path, match in names:
        if match:
            _remove_if_stale(path, mine=match["host"] == _host())


def _remove_if_stale(path: str, mine: bool) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            old = time.time() - os.fstat(descriptor).st_mtime > FOREIGN_SECONDS
            if _lock(descriptor, otherwise=old) and (mine or old):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, otherwise: bool) -> bool:
    """Take the lock of a partial; False if another has it, `otherwise` where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return otherwise
    return True
