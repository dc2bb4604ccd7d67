"""The result of one file's conversion as plain data, for JSON and for pipes between processes."""

from __future__ import annotations

from typing import Literal, TypedDict

from nacli.errors import NacliError, exit_code


class Record(TypedDict):
    """The result of one file.

    `seconds` are of audio; sizes are in bytes, and 0 for pipes. `kbps` is the bitrate of the audio;
    `nac_bytes` is the size of the whole .nac file, with header, tags and picture, also of a pipe.
    `gaps` describes the first gaps (concealed damage), and `gap_count` counts all of them.
    `dropped` names tags and pictures that the output has no place for. `warnings` say why the
    output may lack some sound of the input, which is then not deleted; `notes` are other sentences.
    """

    source: str
    target: str
    status: Literal["done", "skipped", "failed"]
    error: str | None
    exit_code: int
    seconds: float
    bytes_in: int
    bytes_out: int
    nac_bytes: int
    kbps: float
    wall_seconds: float
    gap_count: int
    gaps: list[str]
    dropped: list[str]
    notes: list[str]
    warnings: list[str]


def new_record(source: str, target: str) -> Record:
    """Return the record of a file before its conversion: it counts as failed until it is done."""
    return Record(
        source=source,
        target=target,
        status="failed",
        error=None,
        exit_code=0,
        seconds=0.0,
        bytes_in=0,
        bytes_out=0,
        nac_bytes=0,
        kbps=0.0,
        wall_seconds=0.0,
        gap_count=0,
        gaps=[],
        dropped=[],
        notes=[],
        warnings=[],
    )


def failed_record(source: str, target: str, error: NacliError) -> Record:
    """Return the record of a file that could not be converted because of `error`."""
    record = new_record(source, target)
    record["error"], record["exit_code"] = str(error), exit_code(error)
    return record
