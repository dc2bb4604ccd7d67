"""The jobs of a batch, run one after another or by worker processes, and their results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nacli.cli.bar import Bar, has_bars
from nacli.cli.batch_report import BatchResults, save_report
from nacli.cli.group import complain, one_line, say
from nacli.cli.input_files import unrecognised_line
from nacli.cli.messages import say_result, summary_line
from nacli.cli.planning import Job
from nacli.cli.progress import ProgressTracker, header_lengths
from nacli.files.names import input_name
from nacli.files.standard_streams import captured_libraries, library_notes

if TYPE_CHECKING:
    from nacli.jobs.options import Options
    from nacli.jobs.progress import Progress
    from nacli.jobs.record import Record
    from nacli.jobs.task import OnWarning
    from nacli.jobs.worker_pool import OnTaskProgress


@dataclass(frozen=True)
class BatchSettings:
    """How a batch is run and what is printed about it.

    Args:
        workers: number of files that are converted at a time; 0 is one for each core.
        silent: only errors are printed.
        summary: a line about all files is printed at the end.
        report: path of the report; with `force`, an existing one is replaced.
        unrecognised: number of files of each extension in folders that were not recognised.
    """

    workers: int = 1
    silent: bool = False
    summary: bool = False
    report: str | None = None
    force: bool = False
    unrecognised: Mapping[str, int] = field(default_factory=dict)

    @property
    def shows_bars(self) -> bool:
        return not self.silent and has_bars()


def run_jobs(jobs: list[Job], options: Options, settings: BatchSettings) -> None:
    """Run every job, also after one has failed; exit with the code of the first failure."""
    options.load_model()  # without a model there is one error, not one for each file
    bar = Bar(settings.shows_bars)

    def on_result(number: int, record: Record) -> None:
        with bar.above():
            say_result(jobs[number], record, settings.silent)

    collect_results(_run_jobs(jobs, options, settings, bar), options, settings, on_result)


def collect_results(
    records: Generator[tuple[int, Record], None, None],
    options: Options,
    settings: BatchSettings,
    on_result: Callable[[int, Record], None],
) -> None:
    """Take the record of each job with its number and call `on_result` with both; exit with the
    code of the first failure. The report is written also when the batch is interrupted."""
    results, finished = BatchResults(), False
    try:
        with closing(records):
            for number, record in records:
                results.records[number] = record
                on_result(number, record)
        finished = True
    finally:
        code = results.exit_code()
        if settings.report is not None:
            unrecognised = dict(settings.unrecognised)
            saved = save_report(
                settings.report, settings.force, options, results, unrecognised, not finished
            )
            code = code or saved
    if settings.summary and not settings.silent:
        say(summary_line(results.totals()))
        if settings.unrecognised:
            say(unrecognised_line(settings.unrecognised))
    if code:
        sys.exit(code)


def _run_jobs(
    jobs: list[Job], options: Options, settings: BatchSettings, bar: Bar
) -> Generator[tuple[int, Record], None, None]:
    """Yield the record of each job with its number, in the order in which the jobs end."""
    from nacli.jobs.record import failed_record

    for number, job in enumerate(jobs):
        if job.fault:
            yield number, failed_record(job.source, job.target, job.fault)
    able = {number: job for number, job in enumerate(jobs) if not job.fault}
    numbers, tasks = list(able), [(job.source, job.target) for job in able.values()]
    label = one_line(os.path.basename(input_name(tasks[0][0]))) if len(tasks) == 1 else ""
    tracker = ProgressTracker(len(tasks), header_lengths(tasks, options.seconds_to_convert), label)
    with closing(_run_tasks(tasks, options, settings, bar, tracker)) as records, tracker, bar:
        for index, record in records:
            tracker.finish(index, record["seconds"])
            if len(tasks) > 1:
                bar.show(tracker.line)
            yield numbers[index], record


def _run_tasks(
    tasks: list[tuple[str, str]],
    options: Options,
    settings: BatchSettings,
    bar: Bar,
    tracker: ProgressTracker,
) -> Generator[tuple[int, Record], None, None]:
    """Yield the index of each task and its record."""
    from nacli.jobs.resources import cores

    def on_progress(index: int, seconds: float, total: float | None) -> None:
        tracker.update(index, seconds, total)
        bar.show(tracker.line)

    def on_warning(line: str) -> None:
        with bar.above():
            complain(line)

    workers = min(settings.workers or cores(), len(tasks))
    if any("-" in task for task in tasks):
        workers = 1  # workers have no stdin and stdout
    if workers <= 1:
        yield from _run_here(tasks, options, on_progress, on_warning)
        return
    from nacli.jobs.worker_pool import WorkerPool

    shown = on_progress if settings.shows_bars else None
    with captured_libraries(), WorkerPool(options, workers, shown) as pool, bar:
        for index, record in pool.run(tasks):
            for line in record["gaps"] + record["warnings"]:
                on_warning(line)
            yield index, record


def _run_here(
    tasks: list[tuple[str, str]],
    options: Options,
    on_progress: OnTaskProgress,
    on_warning: OnWarning,
) -> Generator[tuple[int, Record], None, None]:
    """Run the tasks in this process; yield the index of each and its record."""
    from nacli.jobs.task import run_task

    with captured_libraries() as lines:
        for index, (source, target) in enumerate(tasks):

            def show(progress: Progress, index: int = index) -> None:
                on_progress(index, progress.seconds, progress.total_seconds)

            record = run_task(options, source, target, show, on_warning)
            record["notes"] += library_notes(lines())
            yield index, record
