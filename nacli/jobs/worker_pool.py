"""Many files at once: worker processes that each convert one file after another.

Why not `concurrent.futures`: when a worker of its pool dies (out of memory, a crash inside a
library on a hostile file), every file of the batch fails with it and none is named. Here each
worker has a pipe of its own, so the file that killed it is known and fails alone, and a new worker
goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import TYPE_CHECKING, Any

from nacli.errors import NacliError
from nacli.files.signals import exit_on_signals
from nacli.files.standard_streams import captured_libraries, library_notes
from nacli.files.temporary_files import remove_stale
from nacli.jobs.options import Options
from nacli.jobs.record import Record, failed_record
from nacli.jobs.resources import cores
from nacli.jobs.task import run_task

if TYPE_CHECKING:
    from nacli.jobs.progress import OnProgress, Progress

GRACE_SECONDS = 10.0
"""Time that a terminated worker has for cleaning up before it is killed."""

REPORT_SECONDS = 0.25
"""Shortest time between two progress reports of a worker."""

Task = tuple[str, str]
"""Source and target of a conversion."""

OnTaskProgress = Callable[[int, float, float | None], None]
"""A function that is called with the number of a task, the seconds of audio that are done, and the
seconds in total, None while these are unknown."""


@dataclass
class Worker:
    """A worker process, the parent's end of its pipe, and its present task with its number."""

    process: BaseProcess
    pipe: Connection
    number: int = -1
    task: Task | None = None


class WorkerPool:
    """Worker processes. A context manager: at the end of its body, the workers are terminated and
    their temporary files deleted.

    `on_progress` is called at most every `REPORT_SECONDS` for each worker.
    """

    def __init__(
        self, options: Options, workers: int, on_progress: OnTaskProgress | None = None
    ) -> None:
        self._options, self._count, self._on_progress = options, workers, on_progress
        self._threads = max(1, cores() // workers)
        self._workers: list[Worker] = []

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Record]]:
        """Yield the number and record of every task, in the order in which they end."""
        waiting = enumerate(tasks)
        for number, task in islice(waiting, self._count):
            self._assign(self._start(), number, task)
        while busy := [worker for worker in self._workers if worker.task]:
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                number, record = worker.number, self._receive(worker)
                if record is None:
                    continue
                if following := next(waiting, None):
                    alive = worker if worker in self._workers else self._start()
                    self._assign(alive, *following)
                yield number, record

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._end(list(self._workers))

    def _start(self) -> Worker:
        forks = _may_fork()
        context: Any = multiprocessing.get_context("fork" if forks else "spawn")
        ours, theirs = context.Pipe()
        inherited = [ours, *(worker.pipe for worker in self._workers)] if forks else []
        process = context.Process(
            target=_work,
            args=(theirs, inherited, self._options, self._threads, self._on_progress is not None),
            daemon=True,
        )
        if not forks:
            resource_tracker.ensure_running()  # if it were started below, it would unblock SIGINT
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # workers inherit the mask: Ctrl-C goes to the parent alone, which terminates them
            process.start()
            worker = Worker(process, ours)
            self._workers.append(worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return worker

    def _assign(self, worker: Worker, number: int, task: Task) -> None:
        worker.number, worker.task = number, task
        with suppress(OSError):  # the worker has died, which _receive will notice
            worker.pipe.send(task)

    def _receive(self, worker: Worker) -> Record | None:
        """Return a worker's record, that of a failure if the worker has died, or None where it only
        reports its progress."""
        try:
            message: Record | tuple[float, float | None] = worker.pipe.recv()
            if isinstance(message, tuple):
                if self._on_progress:
                    self._on_progress(worker.number, *message)
                return None
            worker.task = None
            return message
        except (EOFError, OSError):
            assert worker.task is not None
            source, target = worker.task
            self._end([worker])
            cause = _cause_of_death(worker.process)
            died = f"{source}: the process that converted it died ({cause})"
            return failed_record(source, target, NacliError(died))

    def _end(self, workers: list[Worker]) -> None:
        deadline = time.monotonic() + GRACE_SECONDS
        while living := [worker.process for worker in workers if worker.process.is_alive()]:
            for process in living:  # repeatedly: a single signal may come just before a read
                process.terminate() if time.monotonic() < deadline else process.kill()
            wait([process.sentinel for process in living], timeout=0.5)
        for worker in workers:
            worker.process.join()
            worker.pipe.close()
            self._workers.remove(worker)
            if worker.task:
                remove_stale(os.path.dirname(os.path.realpath(worker.task[1])))


def _may_fork() -> bool:
    """Tell whether a worker can be a fork of this process, which shares its modules and checkpoint
    and starts at once. A fork would copy the locks of other threads, such as the one that reads
    headers for the progress bar, and could not use a GPU that its parent has used."""
    return sys.platform == "linux" and threading.active_count() == 1 and "torch" not in sys.modules


def _cause_of_death(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _work(
    pipe: Connection,
    inherited: list[Connection],
    options: Options,
    threads: int,
    reports: bool,
) -> None:
    """Run a worker: receive tasks and send records until the parent closes the pipe. `inherited`
    are the parent's ends of pipes, which a fork has as well."""
    for end in inherited:
        end.close()
    exit_on_signals()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    threads = min(threads, int(limit)) if limit.isdecimal() and int(limit) else threads
    os.environ["OMP_NUM_THREADS"] = str(threads)  # spawned workers import NumPy after this
    on_progress = _reporter(pipe) if reports else lambda progress: None
    try:
        with suppress(EOFError, OSError), captured_libraries() as lines:
            while True:
                source, target = pipe.recv()
                record = run_task(options, source, target, on_progress)
                record["notes"] += library_notes(lines())
                pipe.send(record)
    except SystemExit as end:  # all is cleaned up; libraries would complain about threads
        os._exit(int(end.code or 0))


def _reporter(pipe: Connection) -> OnProgress:
    due = 0.0

    def report(progress: Progress) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            due = now + REPORT_SECONDS
            pipe.send((progress.seconds, progress.total_seconds))

    return report


def _end_with_parent() -> None:
    """End this process when the parent ends, also where the parent was killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
