"""Files and pipes: input in blocks, output that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nacli.errors import NacliError, OutputExists, UnreadableInput, WriteFailed
from nacli.files.live import read_live
from nacli.files.temporary_files import open_temporary

BLOCK_BYTES = 1 << 16

AUDIO_EXTENSIONS = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"}
AUDIO_EXTENSIONS |= {".aifc", ".au", ".caf", ".rf64", ".w64"}
"""What counts as audio in a folder; a file that is named itself may have any extension."""


def input_name(path: str) -> str:
    """The name of an input in messages."""
    return "standard input" if path == "-" else path


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the name of an input in front of errors that do not begin with it."""
    name = input_name(path)
    try:
        yield
    except NacliError as error:
        if not str(error).startswith(f"{name}: "):
            error.args = (f"{name}: {error}",)
        raise


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn the errors of reading `name` into `UnreadableInput`."""
    try:
        yield
    except (OSError, EOFError) as error:
        cause = getattr(error, "strerror", None) or error
        raise UnreadableInput(f"{name}: {cause}") from error


@contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """The bytes of a file, or of stdin for "-" (which is left open). Raises `UnreadableInput`."""
    if path == "-":
        if sys.stdin is None:
            raise UnreadableInput("standard input: closed")
        yield sys.stdin.buffer
        return
    with reading(path):
        stream = open(path, "rb")
    with stream:
        yield stream


def blocks_of(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The bytes of a stream as they come: a live pipe is never waited on for more than its next
    bytes. Raises `UnreadableInput`, naming `name`."""
    while True:
        with reading(name):
            block = read_live(stream, BLOCK_BYTES)
        if not block:
            return
        yield block


def read_bytes_blocks(path: str) -> Iterator[bytes]:
    """The bytes of a file, or of stdin for "-", as they come. Raises `UnreadableInput`."""
    with open_input(path) as stream:
        yield from blocks_of(stream, input_name(path))


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteFailed(f"{name}: {error.strerror or error}") from error


class Output:
    """A binary output with a name; whatever goes wrong in it is a `WriteFailed` with that name."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self.name = name

    def write(self, data: bytes) -> int:
        """Write all of `data`, also where the stream takes it in pieces."""
        rest = memoryview(data)
        with _writing(self.name):
            while rest:
                taken = self._stream.write(rest)
                if taken is None:
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                rest = rest[taken:]
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """What has been written; of a file only, see `editable`."""
        with _writing(self.name):
            return self._stream.read(size)

    def truncate(self, size: int) -> int:
        with _writing(self.name):
            return self._stream.truncate(size)

    @property
    def editable(self) -> bool:
        """Whether this is a file, which can be read and changed, and no pipe or device."""
        return self._stream.readable() and self._stream.seekable()

    def flush(self) -> None:
        with _writing(self.name):
            self._stream.flush()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _writing(self.name):
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        with _writing(self.name):
            return self._stream.tell()

    def save(self) -> None:
        """Flush and put the bytes on the disk, where a full disk may first be noticed."""
        self.flush()
        with _writing(self.name):
            os.fsync(self._stream.fileno())


def check_output(path: str, force: bool = False) -> None:
    """Raise `OutputExists` if `path` is a file that may not be replaced. Cheap: call it before the
    work. Devices, named pipes and stdout are written to, not replaced, so they never count."""
    if path == "-":
        return
    if os.path.isdir(path):
        raise WriteFailed(f"{path}: {os.strerror(errno.EISDIR)}")
    if not force and os.path.lexists(path) and not _is_special(path):
        raise OutputExists(f"{path} exists (-f replaces it)")


@contextmanager
def atomic_output(path: str, force: bool = False) -> Iterator[Output]:
    """A binary output that takes the name `path` only when the body has ended well.

    Until then the bytes are in a hidden file of the same folder (see `partials`), deleted on any
    exception; then file and name are put on the disk. "-" is stdout, written through at once; so
    are devices and named pipes.

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
        with _renamed_output(path, force) as output:
            yield output


@contextmanager
def _renamed_output(path: str, force: bool) -> Iterator[Output]:
    target = Path(os.path.realpath(path))  # a link stays a link: what it points to is replaced
    with ExitStack() as stack:
        with _writing(path):
            stream, temporary = stack.enter_context(open_temporary(target.parent))
        output = Output(stream, path)
        yield output
        output.save()
        with _writing(path):
            _publish(temporary, target, force)
            sync_folder(target.parent)


def _publish(temporary: Path, target: Path, force: bool) -> None:
    if force:
        with suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
    else:
        try:
            os.link(temporary, target)  # unlike a rename, this fails if the name is taken
            return
        except FileExistsError as error:
            raise OutputExists(f"{target} has appeared meanwhile (-f replaces it)") from error
        except OSError:
            check_output(str(target))  # a file system without links: not one step, but close
    os.replace(temporary, target)


def sync_folder(folder: str | Path) -> None:
    """Put the names in a folder on the disk, where the file system can do that and we may."""
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
    """Make a folder and those above it, on the disk as well. Raises `WriteFailed`."""
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
    # Under the buffer: every write is out at once, and none is left to fail again at exit.
    stream = sys.stdout.buffer
    return Output(getattr(stream, "raw", stream), "standard output")
