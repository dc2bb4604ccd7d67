"""Jobs done one after another or by several processes, and what is said about each and all."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from nacli import __version__
from nacli.cli.bar import Bar, above_bars
from nacli.cli.group import complain, report
from nacli.cli.jobs import Job
from nacli.cli.tags import dropped_line
from nacli.errors import NacliError
from nacli.files import atomic_output, check_output

if TYPE_CHECKING:
    from nacli.task import Options, Record


@dataclass(frozen=True)
class Manner:
    """How a batch is run and talked about; `workers` 0 is one for each core."""

    workers: int = 1
    silent: bool = False
    summary: bool = False
    report: str | None = None
    force: bool = False

    @property
    def shows_bars(self) -> bool:
        return not self.silent and sys.stderr.isatty()


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
    from nacli.task import load_model

    if manner.report is not None:
        check_output(manner.report, manner.force)
    load_model(options.model)  # without one, nothing can be done: one line, not one for each file

    def say(number: int, record: Record) -> None:
        with above_bars(manner.shows_bars):
            _say(jobs[number], record, manner)

    collect(_records(jobs, options, manner), options, manner, say)


def collect(
    records: Generator[tuple[int, Record], None, None],
    options: Options,
    manner: Manner,
    say: Callable[[int, Record], None],
) -> None:
    """Take the record of each job with its number, and `say` it; exit with the code of the first
    failure. The report is written whatever ends the batch."""
    tally, finished = Tally(), False
    try:
        with closing(records):
            for number, record in records:
                tally.records[number] = record
                say(number, record)
        finished = True
    finally:
        code = tally.exit_code()
        if manner.report is not None:
            saved = _save_report(manner, options, tally, interrupted=not finished)
            code = code or saved
    if manner.summary and not manner.silent:
        click.echo(_summary(tally.sums()), err=True)
    if code:
        sys.exit(code)


def _records(
    jobs: list[Job], options: Options, manner: Manner
) -> Generator[tuple[int, Record], None, None]:
    """What becomes of each job, with its number, as it becomes known."""
    from nacli.task import failed, run_task

    def tell(line: str) -> None:
        with above_bars(manner.shows_bars):
            complain(line)

    for number, job in enumerate(jobs):
        if job.fault:
            yield number, failed(job.source, job.target, job.fault)
    able = {number: job for number, job in enumerate(jobs) if not job.fault}
    workers = 1 if manner.workers == 1 else min(manner.workers or _cores(), len(able))
    if any("-" in (job.source, job.target) for job in able.values()):
        workers = 1  # stdin and stdout are this process's
    if workers > 1:
        from nacli.batch import Pool

        numbers = list(able)
        tasks = ((job.source, job.target) for job in able.values())
        with Pool(options, workers) as pool, Bar("files", manner.shows_bars, "file") as bar:
            for count, (index, record) in enumerate(pool.run(tasks), 1):
                bar.move(count, len(able))
                for gap in record["gaps"]:
                    tell(gap)
                yield numbers[index], record
        return
    for number, job in able.items():
        with Bar(str(job), manner.shows_bars) as bar:
            record = run_task(options, job.source, job.target, bar.show, tell)
        yield number, record


def _cores() -> int:
    from nacli.batch import cores

    return cores()


def _save_report(manner: Manner, options: Options, tally: Tally, interrupted: bool) -> int:
    """Write the report, whole or not at all; return 0 or the exit code of the failure."""
    assert manner.report is not None
    content = {
        "nacli": __version__,
        "command": options.COMMAND,
        "options": asdict(options),
        "interrupted": interrupted,
        **tally.sums(),
        "results": [tally.records[number] for number in sorted(tally.records)],
    }
    try:
        with atomic_output(manner.report, manner.force) as output:
            output.write(json.dumps(content, indent=2).encode() + b"\n")
    except NacliError as error:
        return report(error)
    return 0


def _say(job: Job, record: Record, manner: Manner) -> None:
    if record["status"] == "failed":
        complain(record["error"] or "", record["exit_code"])
    elif not manner.silent:
        click.echo(_line(job, record), err=True)
        if record["dropped"]:
            click.echo(dropped_line(str(job), record["dropped"]), err=True)


def _line(job: Job, record: Record) -> str:
    if record["status"] == "skipped":
        return f"{job}  exists, skipped"
    seconds, speed = record["seconds"], record["seconds"] / max(record["wall_seconds"], 1e-3)
    line = f"{job}  {seconds:.2f} s, {record['kbps']:.2f} kbps, {speed:.1f}x"
    if count := record["gap_count"]:
        line += f", damaged in {count} place{'s' if count > 1 else ''}"
    return line


def _summary(sums: dict[str, Any]) -> str:
    counts = f"{sums['done']} done, {sums['skipped']} skipped, {sums['failed']} failed"
    hours = f"{sums['seconds'] / 3600:.3f} h of audio"
    sizes = f"{sums['bytes_in']} to {sums['bytes_out']} bytes"
    return f"{counts}: {hours}, {sizes}, {sums['speed']:.1f}x real time"
