"""Files and pipes: input in blocks, output that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from nacli.errors import NacliError, OutputExists, UnreadableInput, WriteFailed
from nacli.files.live import read_live
from nacli.files.temporary_files import open_temporary

BLOCK_BYTES = 1 << 16

PUBLIC = 0o666
"""The permissions of a new file, before the umask."""
Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A .nac file: its path ("-" is stdin), its bytes, or a file object in binary mode."""

AUDIO_EXTENSIONS = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"}
AUDIO_EXTENSIONS |= {".aifc", ".au", ".bwf", ".caf", ".mp2", ".rf64", ".snd", ".w64", ".wave"}
"""What counts as audio in a folder; a file that is named itself may have any extension."""

FFMPEG_EXTENSIONS = {".3gp", ".aac", ".ac3", ".amr", ".ape", ".avi", ".dff", ".dsf", ".dts"}
FFMPEG_EXTENSIONS |= {".eac3", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4"}
FFMPEG_EXTENSIONS |= {".mpc", ".mpg", ".spx", ".tta", ".webm", ".wma", ".wmv", ".wv"}
"""Audio and video that libsndfile does not read, and ffmpeg does."""


def ffmpeg_command(path: str) -> str:
    """What encodes a file that only ffmpeg can decode."""
    source, target = (shlex.quote(name) for name in (path, os.path.splitext(path)[0] + ".nac"))
    return f"ffmpeg -i {source} -f wav - | nacli encode - -o {target}"


def input_name(path: str) -> str:
    """The name of an input in messages."""
    return "standard input" if path == "-" else path


def utf8_text(text: str) -> str:
    """A file name, or text that has one in it, as JSON can hold it: every byte that is no UTF-8,
    which Python keeps as half of a surrogate pair, becomes U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


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


def blocks_from(source: Source) -> Iterator[bytes]:
    """The bytes of a .nac file in blocks; see `Source`. Raises `UnreadableInput`, and `TypeError`
    for anything else."""
    if isinstance(source, str | os.PathLike):
        yield from read_bytes_blocks(os.fspath(source))
    elif isinstance(source, bytes | bytearray | memoryview):
        yield bytes(source)
    elif hasattr(source, "read"):
        with reading("the file"):
            while block := source.read(BLOCK_BYTES):
                if not isinstance(block, bytes):
                    raise TypeError("the file is open as text: nacli takes files in binary mode")
                yield block
    else:
        accepted = "a path, bytes, or a file in binary mode"
        raise TypeError(f"source is a {type(source).__name__}, but nacli takes {accepted}")


def naming_source(source: Source) -> AbstractContextManager[None]:
    """As `naming`, where a source has a name."""
    return naming(os.fspath(source)) if isinstance(source, str | os.PathLike) else nullcontext()


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
    """Raise `OutputExists` if `path` is a file that may not be replaced, `WriteFailed` if it cannot
    be made. Cheap: call it before the work. Devices, named pipes and stdout are written to, not
    replaced, so they never count."""
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
    """The permissions that a file made from `source` may have, before the umask: group and others
    get no more than they have of `source`, where that is a file. Nothing is taken from pipes."""
    try:
        status = os.fstat(0) if source == "-" else os.stat(source)
    except OSError:
        return PUBLIC
    if not stat.S_ISREG(status.st_mode):
        return PUBLIC
    return PUBLIC & (stat.S_IMODE(status.st_mode) | 0o600)


@contextmanager
def atomic_output(path: str, force: bool = False, mode: int = PUBLIC) -> Iterator[Output]:
    """A binary output that takes the name `path` only when the body has ended well.

    A new file has the permissions `mode`, less the umask; one that is replaced gives its own to its
    successor, as far as they are within `mode`.

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
        with _renamed_output(path, force, mode) as output:
            yield output


@contextmanager
def _renamed_output(path: str, force: bool, mode: int) -> Iterator[Output]:
    target = Path(os.path.realpath(path))  # a link stays a link: what it points to is replaced
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
