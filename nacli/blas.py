"""Matrix products on one thread of BLAS.

The products of this codec are so small that several threads spend their time waiting for each
other, and sums are rounded in another order for each number of threads: on one thread, encoding is
fast and decoded samples are the same whatever the process has set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any


class _Limit:
    """The limit of the whole process and the number of blocks of code that are inside it."""

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limiter = _controller().limit(limits=1, user_api="blas")

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limiter.restore_original_limits()


_LIMIT = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread in this process while any block of code is inside, in any thread.

    The command line sets the variable OPENBLAS_NUM_THREADS instead, before NumPy is imported.
    """
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        yield
        return
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


@cache
def _controller() -> Any:
    """Find the BLAS libraries that NumPy has loaded, which takes some milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
