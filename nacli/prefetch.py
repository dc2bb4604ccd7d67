"""Work that runs a few items ahead of its use, in a thread: a chain of steps keeps two cores busy.

Daemon threads, the prefetch threads 0 and 1, serve the whole process. What an iterator's items are
made from belongs to its thread from the first item that is taken until the iterator is closed or
exhausted; the caller's thread must not touch it meanwhile. `nacli.encoder.stream.Encoder` and
`nacli.decoder.section.SectionDecoder` say which of their parts that is.
"""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from functools import cache
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Literal, NamedTuple, TypeVar

from nacli.blas import one_thread

T = TypeVar("T")

_END = object()


def prefetch(items: Iterator[T], count: int = 1, thread: Literal[0, 1] = 0) -> Generator[T]:
    """Yield the same items, of which up to `count` are made while the one before is in use.

    No item waits for the next one, so none comes later than it would without this. An error in
    making an item is raised in its place. Items that are made in `thread` 1 may themselves come
    from thread 0. Otherwise, making an item must not use `prefetch`: a thread would wait for
    itself, which is an `AssertionError`.
    """
    worker = _worker(thread)
    busy = [_worker(number).thread for number in range(thread + 1)]
    assert current_thread() not in busy, "prefetch is used in the prefetch thread itself"

    def submit() -> Future[object]:
        future: Future[object] = Future()
        worker.tasks.put((future, lambda: next(items, _END)))
        return future

    made = deque(submit() for _ in range(count))
    try:
        while (item := made[0].result()) is not _END:
            made.popleft()
            made.append(submit())
            yield item  # type: ignore[misc]
    finally:
        # Once this returns, the prefetch thread does not touch the items' source any more, also
        # where a signal interrupted the wait for an item.
        wait([future for future in made if not future.cancel()])


Task = tuple[Future[object], Callable[[], object]]


class _Worker(NamedTuple):
    """A prefetch thread and its tasks; the task None ends it."""

    thread: Thread
    tasks: SimpleQueue[Task | None]


@cache
def _worker(number: int) -> _Worker:
    """Start a prefetch thread, after those with smaller numbers: at exit the last one ends first,
    as it may wait for items of others. It is not an executor's: Python would wait for such a thread
    for ever if a signal arrived while it was being started."""
    if number:
        _worker(number - 1)
    tasks: SimpleQueue[Task | None] = SimpleQueue()
    worker = _Worker(Thread(target=_work, args=(tasks,), daemon=True), tasks)
    worker.thread.start()
    atexit.register(_end, worker)
    return worker


def _end(worker: _Worker) -> None:
    """End the thread before libraries are unloaded that its last task may use."""
    worker.tasks.put(None)
    worker.thread.join()


def _work(tasks: SimpleQueue[Task | None]) -> None:
    while _do(tasks.get()):  # a frame of its own: while waiting, nothing keeps a task's objects
        pass


def _do(task: Task | None) -> bool:
    """Do one task and return whether the thread is to go on."""
    if task is None:
        return False
    future, make = task
    if future.set_running_or_notify_cancel():
        try:
            with one_thread():
                made = make()
            future.set_result(made)
        except BaseException as error:  # is raised where the result is taken
            future.set_exception(error)
    return True
