"""The report of a batch (`--report`): its options, its totals and the record of every file."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from nacli import __version__
from nacli.cli.group import report_error
from nacli.cli.planning import Plan, same_file_key
from nacli.errors import NacliError
from nacli.files.names import utf8_text
from nacli.files.outputs import atomic_output, check_output, make_folders

if TYPE_CHECKING:
    from nacli.jobs.options import Options
    from nacli.jobs.record import Record


@dataclass
class BatchResults:
    """The records of a batch by the numbers of their jobs."""

    records: dict[int, Record] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    def totals(self) -> dict[str, Any]:
        """Return the number of files by status; of those that are done the seconds of audio and
        the bytes in and out; the elapsed seconds and the speed in times real time."""
        records = self.records.values()
        counts = Counter(record["status"] for record in records)
        done = [record for record in records if record["status"] == "done"]
        elapsed = time.monotonic() - self.start
        seconds = sum(record["seconds"] for record in done)
        return {
            "files": len(records),
            **{status: counts[status] for status in ("done", "skipped", "failed")},
            "seconds": round(seconds, 6),
            "bytes_in": sum(record["bytes_in"] for record in done),
            "bytes_out": sum(record["bytes_out"] for record in done),
            "wall_seconds": round(elapsed, 3),
            "speed": round(seconds / max(elapsed, 1e-9), 3),
        }

    def exit_code(self) -> int:
        """Return the exit code of the first failure in the order of the inputs, or 0."""
        codes = (self.records[number]["exit_code"] for number in sorted(self.records))
        return next(filter(None, codes), 0)


def check_report(path: str | None, planned: Plan, force: bool) -> None:
    """Refuse a report that could not be written, before the work.

    A report may lie in the folder of the outputs even if that folder is missing and will be made.

    Raises:
        click.UsageError: the report would replace an input or an output.
        OutputExists: the report exists, and `force` is false.
        WriteFailed: the report cannot be written.
    """
    if path is None:
        return
    if path != "-":
        used = {same_file_key(name) for job in planned.jobs for name in (job.source, job.target)}
        if same_file_key(path) in used:
            raise click.UsageError(f"--report: {path} is an input or output itself")
    check_output(_missing_folder(path, planned.folder) or path, force)


def _missing_folder(path: str, output_folder: str | None) -> str | None:
    """Return the uppermost folder that will be made for a report in the folder of the outputs; None
    where none is missing, or the report lies elsewhere."""
    folder = os.path.dirname(os.path.realpath(path))
    if path == "-" or output_folder is None or os.path.lexists(folder):
        return None
    top = os.path.realpath(output_folder)
    if os.path.commonpath([folder, top]) != top:
        return None
    while not os.path.lexists(parent := os.path.dirname(folder)):
        folder = parent
    return folder if os.path.isdir(parent) else None


def save_report(
    path: str,
    force: bool,
    options: Options,
    results: BatchResults,
    unrecognised: dict[str, int],
    interrupted: bool,
) -> int:
    """Write the report, whole or not at all; return 0 or the exit code of the failure."""
    content = {
        "nacli": __version__,
        "command": options.COMMAND,
        "options": _plain_options(options),
        "interrupted": interrupted,
        **results.totals(),
        "unrecognised": unrecognised,
        "results": [_readable(results.records[number]) for number in sorted(results.records)],
    }
    try:
        if path != "-":
            make_folders(os.path.dirname(path))
        with atomic_output(path, force) as output:
            output.write(json.dumps(content, indent=2).encode() + b"\n")
    except NacliError as error:
        return report_error(error)
    return 0


def _plain_options(options: Options) -> dict[str, Any]:
    """Return the options by name, and with them the encoder's. The sample format is left out: it
    is that of each file."""
    values = asdict(options)
    settings = values.pop("settings", {})
    settings.pop("sample_format", None)
    return {**settings, **values}


def _readable(record: Record) -> dict[str, Any]:
    """Return a record whose file names JSON can hold."""

    def texts(lines: Iterable[str]) -> list[str]:
        return [utf8_text(line) for line in lines]

    return {
        **record,
        "source": utf8_text(record["source"]),
        "target": utf8_text(record["target"]),
        "error": record["error"] and utf8_text(record["error"]),
        "gaps": texts(record["gaps"]),
        "warnings": texts(record["warnings"]),
    }
