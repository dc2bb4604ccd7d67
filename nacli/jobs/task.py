"""One file of a batch: options, source and target in; a record of the result out.

Every runner of batches calls `run_task`, in this process or another: its arguments can be pickled,
it needs nothing that was set up before, and it loads the model once per process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from nacli.errors import Concealed, NacliError, exit_code
from nacli.files.outputs import make_folders
from nacli.files.temporary_files import remove_stale
from nacli.jobs.options import Options
from nacli.jobs.record import Record, new_record

if TYPE_CHECKING:
    from nacli.jobs.progress import OnProgress, Progress

MAX_GAPS = 1000
"""Number of gaps that a record describes; all are counted."""

OnWarning = Callable[[str], None]
"""A function that is called with a line about damage or missing sound."""


def run_task(
    options: Options,
    source: str,
    target: str,
    on_progress: OnProgress = lambda progress: None,
    on_warning: OnWarning = lambda line: None,
) -> Record:
    """Convert one file; a failure is recorded, not raised.

    `on_warning` is called with every gap as soon as it is known, and with warnings at the end.
    Temporary files that killed processes have left in the target's folder are deleted.
    """
    start = time.monotonic()
    record = new_record(source, target)
    record["bytes_in"] = _file_bytes(source)
    try:
        _convert(options, record, on_progress, on_warning)
    except NacliError as error:
        record["error"], record["exit_code"] = str(error), exit_code(error)
    except Exception as error:  # an unforeseen error must not stop the other files of the batch
        record["error"] = f"{source}: {type(error).__name__}: {error}"
        record["exit_code"] = NacliError.exit_code
    record["wall_seconds"] = round(time.monotonic() - start, 3)
    return record


def _convert(
    options: Options, record: Record, on_progress: OnProgress, on_warning: OnWarning
) -> None:
    source, target = record["source"], record["target"]
    if target != "-":
        _remove_stale_once(os.path.dirname(os.path.realpath(target)))
        if options.skip_existing and os.path.isfile(target):
            record["status"] = "skipped"
            return
        if options.make_folders:
            make_folders(os.path.dirname(target))

    def add_gap(gap: str) -> None:
        record["gap_count"] += 1
        if len(record["gaps"]) < MAX_GAPS:
            record["gaps"].append(gap)
        on_warning(gap)

    result = options.convert(source, target, on_progress, add_gap)
    _add_result(record, result, options)
    for warning in result.warnings:
        on_warning(warning)


def _add_result(record: Record, result: Progress, options: Options) -> None:
    record["status"] = "done"
    record["dropped"], record["notes"] = list(result.dropped), list(result.notes)
    record["warnings"] = list(result.warnings)
    record["exit_code"] = Concealed.exit_code if record["gap_count"] or result.damaged else 0
    record["seconds"], record["kbps"] = round(result.seconds, 6), round(result.kbps, 3)
    record["bytes_out"] = _file_bytes(record["target"])
    nac_file_bytes = record["bytes_in" if options.COMMAND == "decode" else "bytes_out"]
    # Of a pipe there is only the count; but when a part is decoded, less than the file is read.
    record["nac_bytes"] = nac_file_bytes or result.nac_bytes


@cache
def _remove_stale_once(folder: str) -> None:
    remove_stale(folder)


def _file_bytes(path: str) -> int:
    return os.path.getsize(path) if path != "-" and os.path.isfile(path) else 0
