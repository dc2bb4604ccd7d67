"""Jobs done one after another or by several processes, and what is said about each and all."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from nacli import __version__
from nacli.cli.bar import Bar, has_bars
from nacli.cli.group import complain, one_line, report, say
from nacli.cli.jobs import Job, unrecognised_line
from nacli.cli.progress import Course, duration, lengths_of
from nacli.cli.tags import dropped_line
from nacli.errors import NacliError, counted
from nacli.files.names import input_name, utf8_text
from nacli.files.outputs import atomic_output, check_output
from nacli.files.standard_streams import captured_libraries, library_notes

if TYPE_CHECKING:
    from nacli.jobs.convert import Progress
    from nacli.jobs.task import Options, Record


@dataclass(frozen=True)
class Manner:
    """How a batch is run and talked about; `workers` 0 is one for each core, `unrecognised` counts
    files by extension that were passed over in folders."""

    workers: int = 1
    silent: bool = False
    summary: bool = False
    report: str | None = None
    force: bool = False
    unrecognised: Mapping[str, int] = field(default_factory=dict)

    @property
    def shows_bars(self) -> bool:
        return not self.silent and has_bars()


@dataclass
class Tally:
    """The records of a batch by the numbers of their jobs."""

    records: dict[int, Record] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def sums(self) -> dict[str, Any]:
        """Files by status, seconds of audio, bytes in and out (of those done), seconds on the
        clock, and speed."""
        records = self.records.values()
        counts = Counter(record["status"] for record in records)
        done = [record for record in records if record["status"] == "done"]
        wall = time.monotonic() - self.began
        seconds = sum(record["seconds"] for record in done)
        return {
            "files": len(records),
            **{status: counts[status] for status in ("done", "skipped", "failed")},
            "seconds": round(seconds, 6),
            "bytes_in": sum(record["bytes_in"] for record in done),
            "bytes_out": sum(record["bytes_out"] for record in done),
            "wall_seconds": round(wall, 3),
            "speed": round(seconds / max(wall, 1e-9), 3),
        }

    def exit_code(self) -> int:
        """That of the first failure, in the order of the inputs; 0 if there is none."""
        codes = (self.records[number]["exit_code"] for number in sorted(self.records))
        return next(filter(None, codes), 0)


def run_jobs(jobs: list[Job], options: Options, manner: Manner) -> None:
    """Run every job, also after one has failed; exit with the code of the first failure."""
    from nacli.jobs.task import load_model

    if manner.report is not None:
        check_output(manner.report, manner.force)
    load_model(options.model)  # without one, nothing can be done: one line, not one for each file

    bar = Bar(manner.shows_bars)

    def tell(number: int, record: Record) -> None:
        with bar.above():
            _say(jobs[number], record, manner)

    collect(_records(jobs, options, manner, bar), options, manner, tell)


def collect(
    records: Generator[tuple[int, Record], None, None],
    options: Options,
    manner: Manner,
    tell: Callable[[int, Record], None],
) -> None:
    """Take the record of each job with its number, and `tell` of it; exit with the code of the
    first failure. The report is written whatever ends the batch."""
    tally, finished = Tally(), False
    try:
        with closing(records):
            for number, record in records:
                tally.records[number] = record
                tell(number, record)
        finished = True
    finally:
        code = tally.exit_code()
        if manner.report is not None:
            saved = _save_report(manner, options, tally, interrupted=not finished)
            code = code or saved
    if manner.summary and not manner.silent:
        say(_summary(tally.sums()))
        if manner.unrecognised:
            say(unrecognised_line(manner.unrecognised))
    if code:
        sys.exit(code)


def _records(
    jobs: list[Job], options: Options, manner: Manner, bar: Bar
) -> Generator[tuple[int, Record], None, None]:
    """What becomes of each job, with its number, as it becomes known."""
    from nacli.jobs.task import failed

    for number, job in enumerate(jobs):
        if job.fault:
            yield number, failed(job.source, job.target, job.fault)
    able = {number: job for number, job in enumerate(jobs) if not job.fault}
    numbers, tasks = list(able), [(job.source, job.target) for job in able.values()]
    label = one_line(os.path.basename(input_name(tasks[0][0]))) if len(tasks) == 1 else ""
    course = Course(len(tasks), lengths_of(tasks, options.expected_length), label)
    with closing(_run(tasks, options, manner, bar, course)) as records, course, bar:
        for index, record in records:
            course.end(index, record["seconds"])
            if len(tasks) > 1:
                bar.show(course.line)
            yield numbers[index], record


def _run(
    tasks: list[tuple[str, str]], options: Options, manner: Manner, bar: Bar, course: Course
) -> Generator[tuple[int, Record], None, None]:
    """The index of each task and its record."""
    from nacli.jobs.batch import Pool, cores
    from nacli.jobs.task import run_task

    def watch(index: int, seconds: float, expected: float | None) -> None:
        course.move(index, seconds, expected)
        bar.show(course.line)

    def tell(line: str) -> None:
        with bar.above():
            complain(line)

    workers = min(manner.workers or cores(), len(tasks))
    if any("-" in task for task in tasks):
        workers = 1  # stdin and stdout are this process's
    with captured_libraries() as lines:
        if workers > 1:
            with Pool(options, workers, watch if manner.shows_bars else None) as pool, bar:
                for index, record in pool.run(tasks):
                    for line in record["gaps"] + record["warnings"]:
                        tell(line)
                    yield index, record
            return
        for index, (source, target) in enumerate(tasks):

            def show(progress: Progress, index: int = index) -> None:
                watch(index, progress.seconds, progress.expected_seconds)

            record = run_task(options, source, target, show, tell)
            record["notes"] += library_notes(lines())
            yield index, record


def _save_report(manner: Manner, options: Options, tally: Tally, interrupted: bool) -> int:
    """Write the report, whole or not at all; return 0 or the exit code of the failure."""
    assert manner.report is not None
    content = {
        "nacli": __version__,
        "command": options.COMMAND,
        "options": asdict(options),
        "interrupted": interrupted,
        **tally.sums(),
        "unrecognised": dict(manner.unrecognised),
        "results": [_readable(tally.records[number]) for number in sorted(tally.records)],
    }
    try:
        with atomic_output(manner.report, manner.force) as output:
            output.write(json.dumps(content, indent=2).encode() + b"\n")
    except NacliError as error:
        return report(error)
    return 0


def _readable(record: Record) -> Record:
    """A record whose names JSON can hold."""
    return {
        **record,
        "source": utf8_text(record["source"]),
        "target": utf8_text(record["target"]),
        "error": record["error"] and utf8_text(record["error"]),
        "gaps": [utf8_text(gap) for gap in record["gaps"]],
        "warnings": [utf8_text(line) for line in record["warnings"]],
    }


def _say(job: Job, record: Record, manner: Manner) -> None:
    if record["status"] == "failed":
        complain(record["error"] or "", record["exit_code"])
    elif not manner.silent:
        say(_line(job, record))
        for note in record["notes"]:
            say(one_line(f"{job}: {note}"))
        if record["dropped"]:
            say(dropped_line(str(job), record["dropped"]))


def _line(job: Job, record: Record) -> str:
    if record["status"] == "skipped":
        return f"{job}  exists, skipped"
    seconds, speed = record["seconds"], record["seconds"] / max(record["wall_seconds"], 1e-3)
    size = counted(record["nac_bytes"], "byte")
    line = f"{job}  {duration(seconds, 2)}, {record['kbps']:.2f} kbps, {size}, {speed:.1f}x"
    if count := record["gap_count"]:
        line += f", damaged in {counted(count, 'place')}"
    return line


def _summary(sums: dict[str, Any]) -> str:
    counts = f"{sums['done']} done, {sums['skipped']} skipped, {sums['failed']} failed"
    audio = f"{duration(sums['seconds'])} of audio"
    sizes = f"{sums['bytes_in']} to {counted(sums['bytes_out'], 'byte')}"
    return f"{counts}: {audio}, {sizes}, {sums['speed']:.1f}x real time"
