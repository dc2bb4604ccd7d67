"""One file of many: options, source and target in; a plain record of what became of it out.

`run_task` is what every runner of batches calls, in this process or another: its arguments can be
pickled, it needs nothing that was set up before, and it loads the model once per process.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict

from nacli.errors import NacliError, exit_code
from nacli.files import make_folders
from nacli.partials import remove_stale

if TYPE_CHECKING:
    from nacli.checkpoint import Model
    from nacli.convert import Progress, Watch


class Record(TypedDict):
    """What became of one file. `seconds` are of audio; sizes in bytes, of pipes 0."""

    source: str
    target: str
    status: Literal["done", "skipped", "failed"]
    error: str | None
    exit_code: int
    seconds: float
    bytes_in: int
    bytes_out: int
    kbps: float
    wall_seconds: float


@dataclass(frozen=True, kw_only=True)
class Options(ABC):
    """What both ways have in common.

    skip_existing leaves outputs alone that exist, also with `force`; delete_input deletes an input
    when its output has been read back from the disk; make_folders makes those of the output.
    """

    COMMAND: ClassVar[str]

    model: str | None = None
    force: bool = False
    skip_existing: bool = False
    delete_input: bool = False
    make_folders: bool = False

    @abstractmethod
    def convert(self, source: str, target: str, watch: Watch) -> Progress:
        """Convert one file. Raises `NacliError`."""


@dataclass(frozen=True, kw_only=True)
class EncodeOptions(Options):
    """Audio to .nac."""

    COMMAND = "encode"

    bitrate: float | None = None
    packet_ms: int = 1000
    embed: bool = False
    verify: bool = False

    def convert(self, source: str, target: str, watch: Watch) -> Progress:
        from nacli.convert import encode_file

        model = load_model(self.model)
        return encode_file(
            source,
            target,
            model,
            watch=watch,
            bitrate=self.bitrate,
            packet_frames=int(self.packet_ms * model.config.frame_rate / 1000),
            embed=self.embed,
            force=self.force,
            verify=self.verify,
            delete_input=self.delete_input,
        )


@dataclass(frozen=True, kw_only=True)
class DecodeOptions(Options):
    """.nac to audio."""

    COMMAND = "decode"

    def convert(self, source: str, target: str, watch: Watch) -> Progress:
        from nacli.convert import decode_file

        return decode_file(
            source,
            target,
            load_model(self.model),
            watch=watch,
            force=self.force,
            delete_input=self.delete_input,
        )


@cache
def load_model(path: str | None) -> Model:
    """The model, loaded once in this process. Raises `BadCheckpoint`."""
    from nacli import codec

    return codec.load_model(path)


def run_task(
    options: Options, source: str, target: str, watch: Watch = lambda progress: None
) -> Record:
    """Convert one file, whatever happens to it: failures are in the record and raise nothing.

    Also deletes what killed processes have left in the target's folder.
    """
    began = time.monotonic()
    record = _record(source, target)
    record["bytes_in"] = _size(source)
    try:
        _convert(options, record, watch)
    except NacliError as error:
        record["error"], record["exit_code"] = str(error), exit_code(error)
    except Exception as error:  # not foreseen, and still no reason to leave thousands undone
        record["error"] = f"{source}: {type(error).__name__}: {error}"
        record["exit_code"] = NacliError.exit_code
    record["wall_seconds"] = round(time.monotonic() - began, 3)
    return record


def failed(source: str, target: str, error: NacliError) -> Record:
    """The record of a file that was not even begun."""
    record = _record(source, target)
    record["error"], record["exit_code"] = str(error), exit_code(error)
    return record


def _record(source: str, target: str) -> Record:
    return Record(
        source=source,
        target=target,
        status="failed",
        error=None,
        exit_code=0,
        seconds=0.0,
        bytes_in=0,
        bytes_out=0,
        kbps=0.0,
        wall_seconds=0.0,
    )


def _convert(options: Options, record: Record, watch: Watch) -> None:
    source, target = record["source"], record["target"]
    if target != "-":
        _remove_stale_once(os.path.dirname(os.path.realpath(target)))
        if options.skip_existing and os.path.isfile(target):
            record["status"] = "skipped"
            return
        if options.make_folders:
            make_folders(os.path.dirname(target))
    done = options.convert(source, target, watch)
    record["status"] = "done"
    record["seconds"], record["kbps"] = round(done.seconds, 6), round(done.kbps, 3)
    record["bytes_out"] = _size(target)


@cache
def _remove_stale_once(folder: str) -> None:
    remove_stale(folder)


def _size(path: str) -> int:
    return os.path.getsize(path) if path != "-" and os.path.isfile(path) else 0
