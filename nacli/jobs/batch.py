"""Many files at once: worker processes that each take one file after another.

Not `concurrent.futures`: when a worker of its pool dies (out of memory, a crash inside a library on
a hostile file) every file of the batch fails with it and none is named. Here each worker has a pipe
of its own, so the file that killed it is known, fails alone, and a new worker takes the next.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import TYPE_CHECKING

from nacli.errors import NacliError
from nacli.files.signals import exit_on_signals
from nacli.files.standard_streams import captured_libraries, library_notes
from nacli.files.temporary_files import remove_stale
from nacli.jobs.task import Options, Record, failed, run_task

if TYPE_CHECKING:
    from nacli.jobs.convert import Progress

GRACE_SECONDS = 10.0
"""What a worker that was told to end has for cleaning up before it is killed."""

REPORT_SECONDS = 0.25
"""Between two reports of how far a file has come."""

Task = tuple[str, str]
"""Source and target."""

Watch = Callable[[int, float, float | None], None]
"""Is told the number of a task, the seconds of audio that are done, and those expected."""


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class Worker:
    """A process, our end of its pipe, and the task, with its number, that it is at."""

    process: BaseProcess
    pipe: Connection
    number: int = -1
    task: Task | None = None


class Pool:
    """Worker processes, a context manager: whatever ends its body ends them, and their partial
    files are gone then. `watch` hears of files that take longer than a moment."""

    def __init__(self, options: Options, workers: int, watch: Watch | None = None) -> None:
        self._options, self._count, self._watch = options, workers, watch
        self._threads = max(1, cores() // workers)
        self._workers: list[Worker] = []

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Record]]:
        """The number and record of every task, as they get done."""
        waiting = enumerate(tasks)
        for number, task in islice(waiting, self._count):
            self._give(self._start(), number, task)
        while busy := [worker for worker in self._workers if worker.task]:
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                number, record = worker.number, self._receive(worker)
                if record is None:
                    continue
                if following := next(waiting, None):
                    alive = worker if worker in self._workers else self._start()
                    self._give(alive, *following)
                yield number, record

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._end(list(self._workers))

    def _start(self) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work,
            args=(theirs, self._options, self._threads, self._watch is not None),
            daemon=True,
        )
        resource_tracker.ensure_running()  # started below, it would unblock what is blocked here
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # a worker inherits the mask: Ctrl-C in a terminal is for us alone, who end it then
            process.start()
            worker = Worker(process, ours)
            self._workers.append(worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return worker

    def _give(self, worker: Worker, number: int, task: Task) -> None:
        worker.number, worker.task = number, task
        with suppress(OSError):  # it has died; receiving will tell
            worker.pipe.send(task)

    def _receive(self, worker: Worker) -> Record | None:
        """The record that a worker has ready, a failure if it has died instead, or None if it only
        reports how far it has come."""
        try:
            message: Record | tuple[float, float | None] = worker.pipe.recv()
            if isinstance(message, tuple):
                if self._watch:
                    self._watch(worker.number, *message)
                return None
            worker.task = None
            return message
        except (EOFError, OSError):
            assert worker.task is not None
            source, target = worker.task
            self._end([worker])
            died = f"{source}: the process that worked on it died ({_fate(worker.process)})"
            return failed(source, target, NacliError(died))

    def _end(self, workers: list[Worker]) -> None:
        deadline = time.monotonic() + GRACE_SECONDS
        while living := [worker.process for worker in workers if worker.process.is_alive()]:
            for process in living:  # again and again: one signal alone may come just before a read
                process.terminate() if time.monotonic() < deadline else process.kill()
            wait([process.sentinel for process in living], timeout=0.5)
        for worker in workers:
            worker.process.join()
            worker.pipe.close()
            self._workers.remove(worker)
            if worker.task:
                remove_stale(os.path.dirname(os.path.realpath(worker.task[1])))


def _fate(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _work(pipe: Connection, options: Options, threads: int, reports: bool) -> None:
    """A worker: take tasks, give records, until the other end of the pipe is gone."""
    exit_on_signals()
    threading.Thread(target=_follow_parent, daemon=True).start()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    threads = min(threads, int(limit)) if limit.isdecimal() and int(limit) else threads
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch is imported, with the first task
    watch = _reporter(pipe) if reports else lambda progress: None
    try:
        with suppress(EOFError, OSError), captured_libraries() as lines:
            while True:
                source, target = pipe.recv()
                record = run_task(options, source, target, watch)
                record["notes"] += library_notes(lines())
                pipe.send(record)
    except SystemExit as end:  # all is cleaned up; what threads still hold, libraries would deplore
        os._exit(int(end.code or 0))


def _reporter(pipe: Connection) -> Callable[[Progress], None]:
    due = 0.0

    def report(progress: Progress) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            due = now + REPORT_SECONDS
            pipe.send((progress.seconds, progress.expected_seconds))

    return report


def _follow_parent() -> None:
    """End when the parent does, also where it was killed and could not say so."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
