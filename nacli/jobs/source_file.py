"""Input files and their outputs: outputs get the time of inputs, which are deleted if asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from nacli.errors import NacliError, OutputExists
from nacli.files.outputs import check_output


class SourceFile:
    """An input and its state before the conversion."""

    def __init__(self, source: str, target: str, delete: bool) -> None:
        """Note the state of `source`, which `finish` deletes if `delete` is true.

        Raises:
            NacliError: the input is to be deleted, but input or output is no file: what went
                through a pipe cannot be read back.
        """
        self._source, self._target, self._delete = source, target, delete
        self._before = None
        if source != "-" and os.path.isfile(source):
            with suppress(OSError):
                self._before = os.stat(source)
        is_pipe = source == "-" or (os.path.exists(source) and self._before is None)
        if delete and (is_pipe or not _may_be_file(target)):
            raise NacliError(f"{source}: only files that become files can be deleted")

    def finish(self, verify: Callable[[], None], complete: bool = True) -> None:
        """Give the output, which is on the disk, the input's time; delete the input if asked.

        Before the input is deleted, `verify` reads the output back; if it raises, the output is
        deleted and the input stays. The input also stays unless the output is `complete`, that is
        holds all of it.

        Raises:
            NacliError: the input has changed, or cannot be deleted; and the errors of `verify`.
        """
        if self._before and _may_be_file(self._target):
            with suppress(OSError):  # some file systems keep no times
                times = (self._before.st_atime_ns, self._before.st_mtime_ns)
                os.utime(self._target, ns=times)
        if self._delete and complete:
            try:
                verify()
            except NacliError:
                os.unlink(os.path.realpath(self._target))
                raise
            self._unlink()

    def _unlink(self) -> None:
        try:
            if self._before is None or _identity(os.stat(self._source)) != _identity(self._before):
                raise NacliError(
                    f"{self._source}: changed during the conversion, so it was not deleted"
                )
            os.unlink(self._source)
        except OSError as error:
            raise NacliError(f"{self._source}: not deleted: {error.strerror or error}") from error


def check_target(source: str, target: str, force: bool) -> None:
    """Raise `OutputExists` or `WriteFailed` before the work if `target` cannot be made.

    An input is never replaced by its own output, not even with `force`.
    """
    files = "-" not in (source, target) and os.path.isfile(source) and os.path.exists(target)
    if files and os.path.samefile(source, target):
        raise OutputExists(f"{target}: input and output are the same file")
    check_output(target, force)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _may_be_file(target: str) -> bool:
    return target != "-" and (os.path.isfile(target) or not os.path.exists(target))
