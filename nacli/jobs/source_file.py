"""Input files after their output is safe: their time is kept, and they go if asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from nacli.errors import NacliError


class Original:
    """An input as it was before the work, and what becomes of it when its output is there."""

    def __init__(self, source: str, target: str, delete: bool) -> None:
        """`delete` is refused with `NacliError` where input or output is no file: what went through
        a pipe cannot be read back."""
        self._source, self._target, self._delete = source, target, delete
        self._before = None
        if source != "-" and os.path.isfile(source):
            with suppress(OSError):
                self._before = os.stat(source)
        is_pipe = source == "-" or (os.path.exists(source) and self._before is None)
        if delete and (is_pipe or not _may_be_file(target)):
            raise NacliError(f"{source}: only files that become files can be deleted")

    def settle(self, check: Callable[[], None], whole: bool = True) -> None:
        """The output is on the disk: give it the input's time. Where the input is to go, `check`
        the output first; if that raises, the output goes and the input stays. An input that the
        output does not hold as a `whole` stays.

        Raises what `check` does, and `NacliError` where the input has changed or cannot be deleted.
        """
        if self._before and _may_be_file(self._target):
            with suppress(OSError):  # a file system that keeps no times
                times = (self._before.st_atime_ns, self._before.st_mtime_ns)
                os.utime(self._target, ns=times)
        if self._delete and whole:
            try:
                check()
            except NacliError:
                os.unlink(os.path.realpath(self._target))
                raise
            self._unlink()

    def _unlink(self) -> None:
        try:
            if self._before is None or _identity(os.stat(self._source)) != _identity(self._before):
                raise NacliError(f"{self._source}: changed meanwhile, so it was not deleted")
            os.unlink(self._source)
        except OSError as error:
            raise NacliError(f"{self._source}: not deleted: {error.strerror or error}") from error


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _may_be_file(target: str) -> bool:
    return target != "-" and (os.path.isfile(target) or not os.path.exists(target))
