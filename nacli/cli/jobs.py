"""Inputs to jobs: which file becomes which. All that can be refused is refused here, before any
work."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from nacli.cli.group import one_line
from nacli.errors import NacliError, UnreadableInput
from nacli.files.streams import input_name


@dataclass(frozen=True)
class Job:
    """One input and its output; "-" is stdin or stdout. `fault`: a folder that cannot be read."""

    source: str
    target: str
    fault: NacliError | None = None

    def __str__(self) -> str:
        target = "standard output" if self.target == "-" else self.target
        return one_line(f"{input_name(self.source)} -> {target}")


@dataclass(frozen=True)
class Found:
    """An input file and its place under the folder that was named, which is mirrored."""

    path: str
    place: str
    fault: NacliError | None = None


def plan(
    sources: Sequence[str],
    output: str | None,
    output_dir: str | None,
    recursive: bool,
    wanted: Collection[str],
    extension: str,
) -> list[Job]:
    """A job for every input, and with `recursive` for every file with a `wanted` extension in those
    that are folders. A usage error where an output would be nowhere, or one for two inputs, or
    itself an input."""
    folder = _output_folder(sources, output, output_dir, recursive)
    jobs = []
    for source in sources:
        for found in _find(source, recursive, wanted):
            if found.fault:
                jobs.append(Job(found.path, "", found.fault))
            elif folder is None and output is not None:
                jobs.append(Job(found.path, output))
            else:
                jobs.append(Job(found.path, _target(found, folder, extension)))
    _refuse_clashes([job for job in jobs if not job.fault])
    if sys.stdout.isatty() and any(job.target == "-" for job in jobs):
        raise click.UsageError("stdout is a terminal (-o names a file)")
    return jobs


def _output_folder(
    sources: Sequence[str], output: str | None, output_dir: str | None, recursive: bool
) -> str | None:
    """The folder that all outputs go to, if one was named."""
    if output is not None and output_dir is not None:
        raise click.UsageError("-o or --output-dir, not both")
    if output_dir is not None and os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise click.UsageError(f"--output-dir: {output_dir} is no folder")
    if output is not None and output != "-" and os.path.isdir(output):
        return output
    if output is not None and (recursive or len(sources) > 1):
        message = "with several inputs or -r, -o must be an existing folder (--output-dir makes it)"
        raise click.UsageError(message)
    return output_dir


def _target(found: Found, folder: str | None, extension: str) -> str:
    if found.path == "-":
        if folder is not None:
            raise click.UsageError("stdin has no name to keep in a folder (-o names a file)")
        return "-"
    place = Path(found.path if folder is None else found.place)
    if not place.name:  # ""
        raise click.UsageError(f"{found.path!r} is not the name of a file")
    return os.path.join(folder or "", place.with_suffix(extension))


def _find(source: str, recursive: bool, wanted: Collection[str]) -> Iterator[Found]:
    if source == "-" or not os.path.isdir(source):
        yield Found(source, os.path.basename(source))
    elif not recursive:
        raise click.UsageError(f"{source} is a folder (-r takes the files in it)")
    else:
        yield from _walk(source, wanted)


def _walk(top: str, wanted: Collection[str]) -> Iterator[Found]:
    """Files of a tree in the order of their names. Links to folders are not followed, so there are
    no loops; pipes and devices are passed over, as they might never end."""
    faults: list[OSError] = []
    for folder, below, names in os.walk(top, onerror=faults.append):
        below.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1].lower() in wanted and _may_be_file(path):
                yield Found(path, os.path.relpath(path, top))
    for fault in faults:
        path = os.fsdecode(fault.filename)
        cause = fault.strerror or os.strerror(errno.EIO)
        yield Found(path, "", UnreadableInput(f"{path}: {cause}"))


def _may_be_file(path: str) -> bool:
    """Whether `path` is a file, or a link to nowhere, which will be reported."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def _refuse_clashes(jobs: Sequence[Job]) -> None:
    """Each output once, and none over the input of another job."""
    made: dict[str, Job] = {}
    for job in jobs:
        other = made.setdefault(_identity(job.target), job)
        if other is not job:
            both = f"{other.source} and {job.source}"
            raise click.UsageError(f"{both} would both become {job.target}")
    for job in jobs:
        over = made.get(_identity(job.source)) if job.source != "-" else None
        if over and over is not job:
            raise click.UsageError(f"{over.source} would become {over.target}, an input itself")


def refuse_report(report: str | None, jobs: Sequence[Job]) -> None:
    """A usage error where the report would take the place of an input or an output."""
    if report is not None and report != "-":
        taken = {_identity(path) for job in jobs for path in (job.source, job.target)}
        if _identity(report) in taken:
            raise click.UsageError(f"--report: {report} is an input or output itself")


def _identity(path: str) -> str:
    return path if path == "-" else os.path.realpath(path)
