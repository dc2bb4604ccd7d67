"""Inputs to jobs: which file becomes which. A mistake on the command line is a usage error before
any work; an input that cannot be converted becomes a job with a fault, and the rest is converted.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from nacli.cli.group import one_line
from nacli.errors import NacliError, OutputExists, UnreadableInput
from nacli.files.names import AUDIO_EXTENSIONS, FFMPEG_EXTENSIONS, ffmpeg_command, input_name

SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
REWRITTEN = (".wav", ".flac", ".aiff", ".aif")
"""Extensions that a decoded file gets back: x.flac.nac becomes x.flac. Lossy formats are written
only on request."""
MAX_EXTENSIONS = 12
"""Extensions that are named in a line about files that were not recognised."""


@dataclass(frozen=True)
class Job:
    """One input and its output; "-" is stdin or stdout. `fault`: why it cannot be converted."""

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


@dataclass(frozen=True)
class Naming:
    """How outputs are named. `extension` is appended to the name without .nac when decoding, and in
    place of the input's extension when encoding, or after it with `keep`."""

    extension: str
    decodes: bool = False
    keep: bool = False
    chosen: bool = False
    """Whether the extension was asked for, so that x.flac.nac does not become x.flac again."""

    def name(self, source: str) -> str:
        """The name of the output of `source`, both without a folder."""
        stem, extension = os.path.splitext(source)
        if self.decodes and extension.lower() == ".nac":
            endings = (self.extension,) if self.chosen else REWRITTEN
            return stem if _extension(stem) in endings else stem + self.extension
        return (source if self.keep else stem) + self.extension


@dataclass(frozen=True)
class Plan:
    """Jobs, and how many files of each extension in the folders were not recognised."""

    jobs: list[Job]
    unrecognised: Counter[str] = field(default_factory=Counter)


def plan(
    sources: Sequence[str],
    output: str | None,
    output_dir: str | None,
    recursive: bool,
    wanted: Collection[str],
    naming: Naming,
    skip_existing: bool = False,
) -> Plan:
    """A job for every input, and with `recursive` for every file with a `wanted` extension in those
    that are folders. A usage error where there would be nothing to do, or no place for an output.

    Inputs that cannot be converted are jobs with a fault: folders without `recursive`, an input
    whose output another input becomes already, or whose output would replace another input (with
    `skip_existing` nothing is replaced).
    """
    _refuse_forgotten_o(sources, output or output_dir, naming)
    if not recursive and all(source != "-" and os.path.isdir(source) for source in sources):
        raise click.UsageError(str(_folder_fault(sources[0])))
    folder = _output_folder(sources, output, output_dir, recursive)
    unrecognised: Counter[str] = Counter()
    jobs = []
    for source in sources:
        for found in _find(source, recursive, wanted, unrecognised):
            if found.fault:
                jobs.append(Job(found.path, "", found.fault))
            elif folder is None and output is not None:
                jobs.append(Job(found.path, output))
            else:
                jobs.append(_named_job(found, folder, naming))
    jobs = _without_clashes(jobs, skip_existing)
    if sys.stdout.isatty() and any(job.target == "-" for job in jobs):
        raise click.UsageError("stdout is a terminal (-o names a file)")
    return Plan(jobs, unrecognised)


def names_folder(output: str | None) -> bool:
    """Whether -o says by a slash at its end that it is a folder, which is made if need be."""
    return output is not None and output.endswith(SEPARATORS)


def is_folder(output: str) -> bool:
    """Whether -o names a folder, which exists or is to be made."""
    return output != "-" and (names_folder(output) or os.path.isdir(output))


def unrecognised_line(unrecognised: Mapping[str, int]) -> str:
    """One line about files in folders that are not taken for audio, and what decodes them."""
    names = sorted(unrecognised, key=lambda name: (-unrecognised[name], name))
    shown = [name or "no extension" for name in names[:MAX_EXTENSIONS]]
    if len(names) > MAX_EXTENSIONS:
        shown.append(f"{len(names) - MAX_EXTENSIONS} more")
    count = sum(unrecognised.values())
    line = f"{count} file{'s' if count > 1 else ''} not recognised as audio: {', '.join(shown)}"
    if media := [name for name in names if name in FFMPEG_EXTENSIONS]:
        line += f"; ffmpeg decodes {', '.join(media)}: {ffmpeg_command(f'x{media[0]}')}"
    return one_line(line)


def _output_folder(
    sources: Sequence[str], output: str | None, output_dir: str | None, recursive: bool
) -> str | None:
    """The folder that all outputs go to, if one was named."""
    if output is not None and output_dir is not None:
        raise click.UsageError("-o or --output-dir, not both")
    if "" in (output, output_dir):
        raise click.UsageError("the name of the output is empty")
    if output_dir is not None and os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise click.UsageError(f"--output-dir: {output_dir} is no folder")
    if output is not None and is_folder(output):
        if os.path.isfile(output.rstrip("".join(SEPARATORS))):
            raise click.UsageError(f"-o: {output} is no folder")
        return output
    if output is not None and (recursive or len(sources) > 1):
        message = "with several inputs or -r, -o must be a folder (a / at its end makes a new one)"
        raise click.UsageError(message)
    return output_dir


def _refuse_forgotten_o(sources: Sequence[str], output: str | None, naming: Naming) -> None:
    """A usage error for `encode in.wav out.nac`, as other programs would have it."""
    if output is not None or len(sources) != 2 or os.path.isdir(sources[0]):
        return
    source, last = sources
    made = {*AUDIO_EXTENSIONS, naming.extension} if naming.decodes else {naming.extension}
    if (_extension(last) in made or names_folder(last)) and not os.path.lexists(last):
        verb = "decode" if naming.decodes else "encode"
        command = shlex.join(["nacli", verb, source, "-o", last])
        raise click.UsageError(one_line(f"{last} does not exist; -o names the output: {command}"))


def _named_job(found: Found, folder: str | None, naming: Naming) -> Job:
    if found.path == "-":
        if folder is not None:
            raise click.UsageError("stdin has no name to keep in a folder (-o names a file)")
        return Job("-", "-")
    place = Path(found.path if folder is None else found.place)
    if not place.name:  # ""
        fault = UnreadableInput(f"{found.path!r} is not the name of a file")
        return Job(found.path, "", fault)
    target = place.with_name(naming.name(place.name))
    return Job(found.path, os.path.join(folder or "", target))


def _find(
    source: str, recursive: bool, wanted: Collection[str], unrecognised: Counter[str]
) -> Iterator[Found]:
    if source == "-" or not os.path.isdir(source):
        yield Found(source, os.path.basename(source))
    elif not recursive:
        yield Found(source, "", _folder_fault(source))
    else:
        yield from _walk(source, wanted, unrecognised)


def _folder_fault(source: str) -> UnreadableInput:
    return UnreadableInput(f"{source} is a folder (-r takes the files in it)")


def _walk(top: str, wanted: Collection[str], unrecognised: Counter[str]) -> Iterator[Found]:
    """Files of a tree in the order of their names. Links to folders are not followed, so there are
    no loops; pipes and devices are passed over, as they might never end. Files with other
    extensions are counted, unless they are hidden or .nac files."""
    faults: list[OSError] = []
    for folder, below, names in os.walk(top, onerror=faults.append):
        below.sort()
        for name in sorted(names):
            path, extension = os.path.join(folder, name), _extension(name)
            if extension in wanted and _may_be_file(path):
                yield Found(path, os.path.relpath(path, top))
            elif extension not in (*wanted, ".nac") and name[0] != "." and os.path.isfile(path):
                unrecognised[extension] += 1
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


def _extension(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _without_clashes(jobs: Sequence[Job], skip_existing: bool) -> list[Job]:
    """The jobs, each file once, with a fault for each whose output is already that of another job,
    or an input of another."""
    sources = {_identity(job.source) for job in jobs if not job.fault and job.source != "-"}
    made: dict[str, Job] = {}
    checked = []
    for job in jobs:
        source, target = _identity(job.source), _identity(job.target)
        other = made.get(target)
        if job.fault or source == target:  # the latter fails, and takes the name from nobody
            checked.append(job)
        elif other is None and (skip_existing or target not in sources):
            made[target] = job
            checked.append(job)
        elif other is None:
            cause = f"{job.source} would become {job.target}, an input itself"
            checked.append(replace(job, fault=OutputExists(cause)))
        elif _identity(other.source) != source:
            checked.append(replace(job, fault=_same_output(job, other)))
    return checked


def _same_output(job: Job, other: Job) -> OutputExists:
    differ = os.path.splitext(job.source)[1] != os.path.splitext(other.source)[1]
    remedy = " (--keep-extension keeps both)" if differ and job.target.endswith(".nac") else ""
    return OutputExists(f"{job.source}: {other.source} becomes {job.target} already{remedy}")


def refuse_report(report: str | None, jobs: Sequence[Job]) -> None:
    """A usage error where the report would take the place of an input or an output."""
    if report is not None and report != "-":
        taken = {_identity(path) for job in jobs for path in (job.source, job.target)}
        if _identity(report) in taken:
            raise click.UsageError(f"--report: {report} is an input or output itself")


def _identity(path: str) -> str:
    return path if path == "-" else os.path.realpath(path)
