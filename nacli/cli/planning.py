"""The jobs of a batch: each input with its output.

A mistake on the command line is a usage error before any work; an input that cannot be converted
becomes a job with a fault, and the others are converted.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from nacli.cli.group import one_line
from nacli.cli.input_files import InputFile, file_extension, find_inputs, folder_fault
from nacli.errors import NacliError, OutputExists, UnreadableInput
from nacli.files.names import AUDIO_EXTENSIONS, input_name

SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
RESTORED_EXTENSIONS = (".wav", ".flac", ".aiff", ".aif")
"""Extensions that a decoded file gets back: x.flac.nac becomes x.flac. Lossy formats are written
only on request."""


@dataclass(frozen=True)
class Job:
    """One input and its output; "-" is stdin or stdout. `fault` is the reason why the input cannot
    be converted."""

    source: str
    target: str
    fault: NacliError | None = None

    def __str__(self) -> str:
        target = "standard output" if self.target == "-" else self.target
        return one_line(f"{input_name(self.source)} -> {target}")


@dataclass(frozen=True)
class Naming:
    """The rule by which outputs are named.

    Args:
        extension: extension of the outputs.
        decodes: `extension` replaces .nac; otherwise it replaces the extension of the audio file.
        keep: the extension of the audio file is kept before `extension`.
        chosen: the user asked for `extension`, so x.flac.nac does not become x.flac again.
    """

    extension: str
    decodes: bool = False
    keep: bool = False
    chosen: bool = False

    def name(self, source: str) -> str:
        """Return the name of the output of `source`, both without a folder."""
        stem, extension = os.path.splitext(source)
        if self.decodes and extension.lower() == ".nac":
            endings = (self.extension,) if self.chosen else RESTORED_EXTENSIONS
            return stem if file_extension(stem) in endings else stem + self.extension
        return (source if self.keep else stem) + self.extension


@dataclass(frozen=True)
class Plan:
    """Jobs, the folder that their outputs go to if one was named, and the number of files of each
    extension in input folders that were not recognised."""

    jobs: list[Job]
    folder: str | None = None
    unrecognised: Counter[str] = field(default_factory=Counter)


def plan(
    sources: Sequence[str],
    output: str | None,
    output_dir: str | None,
    recursive: bool,
    extensions: Collection[str],
    naming: Naming,
    skip_existing: bool = False,
) -> Plan:
    """Plan a job for every input, and with `recursive` for every file in input folders that has one
    of `extensions`.

    An input becomes a job with a fault if it is a folder without `recursive`, if its output is that
    of another input, or if its output would replace another input (with `skip_existing` nothing is
    replaced).

    Raises:
        click.UsageError: there is nothing to do, or an output has no name.
    """
    _refuse_forgotten_o(sources, output or output_dir, naming)
    if not recursive and all(source != "-" and os.path.isdir(source) for source in sources):
        raise click.UsageError(str(folder_fault(sources[0])))
    folder = _output_folder(sources, output, output_dir, recursive)
    unrecognised: Counter[str] = Counter()
    jobs = []
    for source in sources:
        for file in find_inputs(source, recursive, extensions, unrecognised):
            if file.fault:
                jobs.append(Job(file.path, "", file.fault))
            elif folder is None and output is not None:
                jobs.append(Job(file.path, output))
            else:
                jobs.append(_named_job(file, folder, naming))
    jobs = _without_clashes(jobs, skip_existing)
    if sys.stdout.isatty() and any(job.target == "-" for job in jobs):
        raise click.UsageError("stdout is a terminal (-o names a file)")
    return Plan(jobs, folder, unrecognised)


def names_folder(output: str | None) -> bool:
    """Return whether -o has a slash at its end: it is a folder then, and made if it is missing."""
    return output is not None and output.endswith(SEPARATORS)


def is_folder(output: str) -> bool:
    """Return whether -o names a folder, which exists or will be made."""
    return output != "-" and (names_folder(output) or os.path.isdir(output))


def same_file_key(path: str) -> str:
    """Return what paths of the same file have in common; "-" stays as it is."""
    return path if path == "-" else os.path.realpath(path)


def _output_folder(
    sources: Sequence[str], output: str | None, output_dir: str | None, recursive: bool
) -> str | None:
    """Return the folder that all outputs go to, if one was named."""
    if output is not None and output_dir is not None:
        raise click.UsageError("-o and --output-dir exclude each other")
    if "" in (output, output_dir):
        raise click.UsageError("the name of the output is empty")
    if output_dir is not None and os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise click.UsageError(f"--output-dir: {output_dir} is not a folder")
    if output is not None and is_folder(output):
        if os.path.isfile(output.rstrip("".join(SEPARATORS))):
            raise click.UsageError(f"-o: {output} is not a folder")
        return output
    if output is not None and (recursive or len(sources) > 1):
        message = "with several inputs or -r, -o must be a folder (a / at its end makes a new one)"
        raise click.UsageError(message)
    return output_dir


def _refuse_forgotten_o(sources: Sequence[str], output: str | None, naming: Naming) -> None:
    """Raise a usage error for `encode in.wav out.nac`, which other programs accept."""
    if output is not None or len(sources) != 2 or os.path.isdir(sources[0]):
        return
    source, last = sources
    endings = {*AUDIO_EXTENSIONS, naming.extension} if naming.decodes else {naming.extension}
    if (file_extension(last) in endings or names_folder(last)) and not os.path.lexists(last):
        verb = "decode" if naming.decodes else "encode"
        command = shlex.join(["nacli", verb, source, "-o", last])
        raise click.UsageError(one_line(f"{last} does not exist; -o names the output: {command}"))


def _named_job(file: InputFile, folder: str | None, naming: Naming) -> Job:
    """Return a job whose output is named after the input, in `folder` or beside the input."""
    if file.path == "-":
        if folder is not None:
            raise click.UsageError("stdin has no name to keep in a folder (-o names a file)")
        return Job("-", "-")
    place = Path(file.path if folder is None else file.relative)
    if not place.name:  # ""
        fault = UnreadableInput(f"{file.path!r} is not the name of a file")
        return Job(file.path, "", fault)
    target = place.with_name(naming.name(place.name))
    return Job(file.path, os.path.join(folder or "", target))


def _without_clashes(jobs: Sequence[Job], skip_existing: bool) -> list[Job]:
    """Return the jobs, each input once, with a fault for each whose output is that of an earlier
    job or an input of another."""
    sources = {same_file_key(job.source) for job in jobs if not job.fault and job.source != "-"}
    by_target: dict[str, Job] = {}
    checked = []
    for job in jobs:
        source, target = same_file_key(job.source), same_file_key(job.target)
        other = by_target.get(target)
        if job.fault or source == target:  # the latter fails, so its output stays free
            checked.append(job)
        elif other is None and (skip_existing or target not in sources):
            by_target[target] = job
            checked.append(job)
        elif other is None:
            cause = f"{job.source} would become {job.target}, which is an input itself"
            checked.append(replace(job, fault=OutputExists(cause)))
        elif same_file_key(other.source) != source:
            checked.append(replace(job, fault=_same_output(job, other)))
    return checked


def _same_output(job: Job, other: Job) -> OutputExists:
    differ = os.path.splitext(job.source)[1] != os.path.splitext(other.source)[1]
    remedy = " (--keep-extension keeps both)" if differ and job.target.endswith(".nac") else ""
    return OutputExists(f"{job.source}: {other.source} already becomes {job.target}{remedy}")
