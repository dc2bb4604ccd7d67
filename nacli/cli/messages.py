"""The lines on stderr about each file of a batch and about all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nacli.cli.group import complain, one_line, say
from nacli.cli.planning import Job
from nacli.cli.progress import duration
from nacli.cli.tags import dropped_line
from nacli.errors import counted

if TYPE_CHECKING:
    from nacli.jobs.record import Record


def say_result(job: Job, record: Record, silent: bool) -> None:
    """Print the result of a file and the notes about it; with `silent`, only a failure."""
    if record["status"] == "failed":
        complain(record["error"] or "", record["exit_code"])
    elif not silent:
        say(_result_line(job, record))
        for note in record["notes"]:
            say(one_line(f"{job}: {note}"))
        if record["dropped"]:
            say(dropped_line(str(job), record["dropped"]))


def summary_line(totals: dict[str, Any]) -> str:
    """Return the last line of a batch from its totals (see `BatchResults.totals`)."""
    counts = f"{totals['done']} done, {totals['skipped']} skipped, {totals['failed']} failed"
    audio = f"{duration(totals['seconds'])} of audio"
    sizes = f"{totals['bytes_in']} to {counted(totals['bytes_out'], 'byte')}"
    return f"{counts}: {audio}, {sizes}, {totals['speed']:.1f}x real time"


def _result_line(job: Job, record: Record) -> str:
    if record["status"] == "skipped":
        return f"{job}  exists, skipped"
    seconds, speed = record["seconds"], record["seconds"] / max(record["wall_seconds"], 1e-3)
    size = counted(record["nac_bytes"], "byte")
    line = f"{job}  {duration(seconds, 2)}, {record['kbps']:.2f} kbps, {size}, {speed:.1f}x"
    if count := record["gap_count"]:
        line += f", damaged in {counted(count, 'place')}"
    return line
