"""Work that goes on one item ahead of its use, in a thread: two cores for what is a chain."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

T = TypeVar("T")

_END = object()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made while the one before it is in use.

    No item waits for the next, so nothing comes later than it would. Making one must not itself
    use `ahead`: there is one thread for all of it.
    """
    made: Future[object] = _worker().submit(next, items, _END)
    try:
        while (item := made.result()) is not _END:
            made = _worker().submit(next, items, _END)
            yield item  # type: ignore[misc]
    finally:
        wait([made])  # whoever has had enough finds the source at rest


@cache
def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)
