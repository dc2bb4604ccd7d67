"""Inputs to outputs: which file becomes which, one after another, and what is said about each."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nacli.cli.group import one_line, report
from nacli.errors import NacliError
from nacli.files import input_name

if TYPE_CHECKING:
    from nacli.convert import Progress, Watch


@dataclass(frozen=True)
class Job:
    """One input and its output; "-" is stdin or stdout."""

    source: str
    target: str

    def __str__(self) -> str:
        target = "standard output" if self.target == "-" else self.target
        return one_line(f"{input_name(self.source)} -> {target}")


def plan(sources: Sequence[str], output: str | None, extension: str) -> list[Job]:
    """Where every input goes; a usage error where that would be nowhere or one place for two."""
    if output is not None and len(sources) > 1 and not os.path.isdir(output):
        raise click.UsageError("with several inputs, -o must be an existing folder")
    jobs = [Job(source, _target(source, output, extension)) for source in sources]
    [(target, times)] = Counter(job.target for job in jobs).most_common(1)
    if times > 1:
        raise click.UsageError(f"{times} inputs would become {target}")
    if sys.stdout.isatty() and any(job.target == "-" for job in jobs):
        raise click.UsageError("stdout is a terminal (-o names a file)")
    return jobs


def _target(source: str, output: str | None, extension: str) -> str:
    if output is None:
        return "-" if source == "-" else str(_renamed(source, extension))
    if output == "-" or not os.path.isdir(output):
        return output
    if source == "-":
        raise click.UsageError("stdin has no name to keep in a folder (-o names a file)")
    return os.path.join(output, _renamed(source, extension).name)


def _renamed(source: str, extension: str) -> Path:
    path = Path(source)
    if not path.name:  # "", ".", "/"
        raise click.UsageError(f"{source!r} is not the name of a file")
    return path.with_suffix(extension)


def run_jobs(jobs: list[Job], convert: Callable[[Job, Watch], Progress], silent: bool) -> None:
    """Run every job, also after one has failed; exit with the code of the first failure."""
    codes = []
    for job in jobs:
        try:
            _run(job, convert, silent)
        except NacliError as error:
            codes.append(report(error))
    if codes:
        sys.exit(codes[0])


def _run(job: Job, convert: Callable[[Job, Watch], Progress], silent: bool) -> None:
    started = time.monotonic()
    with Bar(str(job), shown=not silent and sys.stderr.isatty()) as bar:
        done = convert(job, bar.show)
    if not silent:
        speed = done.seconds / (time.monotonic() - started)
        figures = f"{done.seconds:.2f} s, {done.kbps:.2f} kbps, {speed:.1f}x"
        click.echo(f"{job}  {figures}", err=True)


class Bar:
    """A progress bar in seconds of audio, for work that takes longer than a moment."""

    DELAY = 1.0

    def __init__(self, label: str, shown: bool) -> None:
        self._label, self._shown = label, shown
        self._stack, self._bar = ExitStack(), None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def show(self, progress: Progress) -> None:
        """Move the bar to where `progress` is."""
        if self._shown:
            bar = self._bar = self._bar or self._open(progress)
            bar.update(round(progress.seconds, 1) - bar.n)

    def _open(self, progress: Progress) -> Any:
        from tqdm import tqdm

        expected = progress.expected
        total = None if expected is None else round(expected / progress.sample_rate, 1)
        bar = tqdm(total=total, desc=self._label, unit="s", leave=False, delay=self.DELAY)
        return self._stack.enter_context(bar)
