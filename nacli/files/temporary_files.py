"""Temporary files: the names of outputs until they are complete, and the removal of stale ones.

A temporary file is `.nacli-HOST-RANDOM.part`, locked (flock) by the process that writes it. The
kernel releases the lock when that process ends, however it ends: a free lock means that nobody will
complete the file. On network file systems locks may not reach other machines, so age decides there.
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
"""Age after the last write at which a temporary file of another machine, or one that cannot be
locked, is stale."""

_NAME = re.compile(r"\.nacli-(?:(?P<host>.+)-)?[0-9a-f]{16}\.part")


@cache
def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", os.uname().nodename)[:64]


@contextmanager
def open_temporary(folder: Path, mode: int = 0o666) -> Iterator[tuple[BinaryIO, Path]]:
    """Create and open a temporary file in `folder`, with the permissions `mode` less the umask.

    Yields the file and its path. At the end the path is removed, unless it was renamed. The file is
    locked while it is open, if the file system has locks.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    while True:
        path = folder / f".nacli-{_host()}-{os.urandom(8).hex()}.part"
        try:
            with _closing_quietly(open(path, "x+b", opener=opener)) as stream:
                if _lock(stream.fileno(), otherwise=True) and path.exists():
                    yield stream, path
                    stream.close()  # if this fails, the output failed
                    return
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _closing_quietly(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Close a file, and ignore errors."""
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()


def remove_stale(folder: str) -> None:
    """Delete the stale temporary files in `folder`.

    A file is stale if it is not locked, and is of this machine or has not been written to for a
    day. Files that cannot be opened stay.
    """
    try:
        with os.scandir(folder or ".") as entries:
            names = [(entry.path, _NAME.fullmatch(entry.name)) for entry in entries]
    except OSError:
        return
    for path, match in names:
        if match:
            _remove_if_stale(path, own=match["host"] == _host())


def _remove_if_stale(path: str, own: bool) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            old = time.time() - os.fstat(descriptor).st_mtime > FOREIGN_SECONDS
            if _lock(descriptor, otherwise=old) and (own or old):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, otherwise: bool) -> bool:
    """Lock a temporary file. Returns False if another process has locked it, and `otherwise` if the
    file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return otherwise
    return True
