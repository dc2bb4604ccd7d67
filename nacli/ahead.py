"""Work that goes on one item ahead of its use, in a thread: two cores for what is a chain."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

T = TypeVar("T")

_END = object()


def ahead(items: Iterator[T], count: int = 1) -> Iterator[T]:
    """The same items, up to `count` of them made while the one before is in use.

    No item waits for the next, so nothing comes later than it would. Making one must not itself
    use `ahead`: there is one thread for all of it.
    """

    def submit() -> Future[object]:
        return _worker().submit(next, items, _END)

    made = deque(submit() for _ in range(count))
    try:
        while (item := made.popleft().result()) is not _END:
            made.append(submit())
            yield item  # type: ignore[misc]
    finally:
        wait([future for future in made if not future.cancel()])
        # whoever has had enough finds the source at rest


@cache
def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)
