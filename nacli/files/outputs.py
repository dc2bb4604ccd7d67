"""Outputs: files that appear whole or not at all, and pipes that are written through."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nacli.errors import OutputExists, WriteFailed
from nacli.files.temporary_files import open_temporary

PUBLIC = 0o666
"""Permissions of a new file, before the umask."""


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Turn errors that occur while `name` is written into `WriteFailed`."""
    try:
        yield
    except OSError as error:
        raise WriteFailed(f"{name}: {error.strerror or error}") from error


class Output:
    """A binary output with a name. Every error is a `WriteFailed` with that name."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self.name = name

    def write(self, data: bytes) -> int:
        """Write all of `data`, even if the stream takes it in pieces."""
        rest = memoryview(data)
        with _writing(self.name):
            while rest:
                taken = self._stream.write(rest)
                if taken is None:
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                rest = rest[taken:]
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Read bytes that have been written. Only `editable` outputs can be read."""
        with _writing(self.name):
            return self._stream.read(size)

    def truncate(self, size: int) -> int:
        """Cut the output to `size` bytes."""
        with _writing(self.name):
            return self._stream.truncate(size)

    @property
    def editable(self) -> bool:
        """Whether this is a file, which can be read and changed, and no pipe or device."""
        return self._stream.readable() and self._stream.seekable()

    def flush(self) -> None:
        """Hand buffered bytes to the operating system."""
        with _writing(self.name):
            self._stream.flush()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as `io.IOBase.seek` does."""
        with _writing(self.name):
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        with _writing(self.name):
            return self._stream.tell()

    def save(self) -> None:
        """Flush and sync the bytes to the disk; a full disk may be noticed only then."""
        self.flush()
        with _writing(self.name):
            os.fsync(self._stream.fileno())


def check_output(path: str, force: bool = False) -> None:
    """Check cheaply, before the work, that an output can be written.

    Devices, named pipes and stdout are written to and not replaced, so `force` is not needed there.

    Raises:
        OutputExists: `path` is a file, and `force` is false.
        WriteFailed: the file cannot be created.
    """
    if path == "-":
        return
    if os.path.isdir(path):
        raise WriteFailed(f"{path}: {os.strerror(errno.EISDIR)}")
    if not force and os.path.lexists(path) and not _is_special(path):
        raise OutputExists(f"{path} exists (-f replaces it)")
    if not _is_special(path):
        folder = os.path.dirname(os.path.realpath(path))
        with _writing(path):
            os.stat(folder)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def private_mode(source: str) -> int:
    """Return the permissions, before the umask, of a file that is made from `source`: group and
    others get no more access than they have to `source`. A pipe restricts nothing."""
    try:
        status = os.fstat(0) if source == "-" else os.stat(source)
    except OSError:
        return PUBLIC
    if not stat.S_ISREG(status.st_mode):
        return PUBLIC
    return PUBLIC & (stat.S_IMODE(status.st_mode) | 0o600)


@contextmanager
def atomic_output(path: str, force: bool = False, mode: int = PUBLIC) -> Iterator[Output]:
    """Open a binary output that takes the name `path` only when the body ends without an exception.

    Until then the bytes are in a hidden temporary file of the same folder (see
    `temporary_files`), which is deleted on any exception; at the end, file and name are synced to
    the disk. "-" is stdout, which is written through at once, as devices and named pipes are.

    A new file has the permissions `mode`, less the umask. A file that replaces another takes over
    its permissions, as far as `mode` allows them.

    Raises:
        OutputExists: the file exists, before or after the body, and `force` is false.
        WriteFailed: no such folder, no permission, disk full, closed pipe.
    """
    check_output(path, force)
    if path == "-":
        yield _standard_output()
    elif _is_special(path):
        with _writing(path):
            stream = open(path, "wb", buffering=0)
        with stream:
            yield Output(stream, path)
    else:
        with _renamed_output(path, force, mode) as output:
            yield output


@contextmanager
def _renamed_output(path: str, force: bool, mode: int) -> Iterator[Output]:
    target = Path(os.path.realpath(path))  # a link stays a link: its target is replaced
    with ExitStack() as stack:
        with _writing(path):
            stream, temporary = stack.enter_context(open_temporary(target.parent, mode))
        output = Output(stream, path)
        yield output
        output.save()
        with _writing(path):
            _publish(temporary, target, force, mode)
            sync_folder(target.parent)


def _publish(temporary: Path, target: Path, force: bool, mode: int) -> None:
    """Give a finished temporary file its name."""
    if force:
        with suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode) & (mode | 0o700))
    else:
        try:
            os.link(temporary, target)  # unlike a rename, this fails if the name is taken
            return
        except FileExistsError as error:
            raise OutputExists(f"{target} has appeared meanwhile (-f replaces it)") from error
        except OSError:
            check_output(str(target))  # without hard links: not atomic, but nearly so
    os.replace(temporary, target)


def sync_folder(folder: str | Path) -> None:
    """Sync the names in a folder to the disk, if the file system supports it and permits it."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)


def make_folders(path: str) -> None:
    """Create a folder and its parents, and sync them to the disk. Raises `WriteFailed`."""
    if not path or os.path.isdir(path):
        return
    above = os.path.dirname(path.rstrip(os.sep))
    make_folders(above)
    with _writing(path):
        os.makedirs(path, exist_ok=True)
        sync_folder(above or ".")


def _is_special(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


def _standard_output() -> Output:
    if sys.stdout is None:
        raise WriteFailed("standard output: closed")
    with _writing("standard output"):
        sys.stdout.flush()
    # Below Python's buffer: every write is out at once, and nothing is left to fail again at exit.
    stream = sys.stdout.buffer
    return Output(getattr(stream, "raw", stream), "standard output")
