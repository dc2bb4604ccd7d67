"""Work that goes on one item ahead of its use, in a thread: two cores for what is a chain."""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

_END = object()


def prefetch(items: Iterator[T], count: int = 1) -> Iterator[T]:
    """The same items, up to `count` of them made while the one before is in use.

    No item waits for the next, so nothing comes later than it would. Making one must not itself
    use `prefetch`: there is one thread for all of it.
    """

    def submit() -> Future[object]:
        future: Future[object] = Future()
        _tasks().put((future, lambda: next(items, _END)))
        return future

    made = deque(submit() for _ in range(count))
    try:
        while (item := made.popleft().result()) is not _END:
            made.append(submit())
            yield item  # type: ignore[misc]
    finally:
        wait([future for future in made if not future.cancel()])
        # whoever has had enough finds the source at rest


Task = tuple[Future[object], Callable[[], object]]


@cache
def _tasks() -> SimpleQueue[Task | None]:
    """What the thread is to do, None when Python exits. It is not an executor's: for such a one
    Python would wait for ever where a signal came while it started."""
    tasks: SimpleQueue[Task | None] = SimpleQueue()
    thread = Thread(target=_work, args=(tasks,), daemon=True)
    thread.start()
    atexit.register(_end, thread, tasks)
    return tasks


def _end(thread: Thread, tasks: SimpleQueue[Task | None]) -> None:
    """What it holds would still be in use when libraries go."""
    tasks.put(None)
    thread.join()


def _work(tasks: SimpleQueue[Task | None]) -> None:
    while _do(tasks.get()):  # in a frame of its own: what waits holds on to nothing
        pass


def _do(task: Task | None) -> bool:
    """Whether there will be more."""
    if task is None:
        return False
    future, make = task
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(make())
        except BaseException as error:  # who waits for it raises it
            future.set_exception(error)
    return True
