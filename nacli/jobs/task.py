"""One file of many: options, source and target in; a plain record of what became of it out.

`run_task` is what every runner of batches calls, in this process or another: its arguments can be
pickled, it needs nothing that was set up before, and it loads the model once per process.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict

from nacli.decoder.position import parse_position
from nacli.encoder.settings import DEFAULT_SETTINGS, EncoderSettings
from nacli.errors import Concealed, NacliError, UnreadableInput, exit_code
from nacli.files.inputs import reading
from nacli.files.names import input_name
from nacli.files.outputs import make_folders
from nacli.files.temporary_files import remove_stale
from nacli.format import MAX_PICTURE_BYTES, image_picture, pack_picture

if TYPE_CHECKING:
    from nacli.audio import AudioInfo
    from nacli.checkpoint import Model
    from nacli.jobs.convert import Progress, Watch


MAX_GAPS = 1000
"""Gaps that a record keeps; all are counted."""

Tell = Callable[[str], None]
"""Takes a line about something that was not as it should be, and did not stop the work."""


class Record(TypedDict):
    """What became of one file.

    `seconds` are of audio; sizes are in bytes, those of pipes 0. `kbps` is the rate of the audio;
    `nac_bytes` counts the whole .nac file, with header, tags and picture, of pipes as well. `gaps`
    are the first places where damage was concealed, `gap_count` counts all of them. `dropped` names
    tags and pictures that the output has no place for. `warnings` say why the output may lack some
    sound of the input, which is then not deleted; `notes` are other sentences.
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
    def convert(self, source: str, target: str, watch: Watch, tell: Tell) -> Progress:
        """Convert one file. Raises `NacliError`."""

    def expected_length(self, source: str, target: str) -> float | None:
        """As `length`; nothing is converted where the output may stay as it is."""
        skips = self.skip_existing and target != "-" and os.path.isfile(target)
        return 0.0 if skips else self.length(source)

    def length(self, source: str) -> float | None:
        """Seconds of audio that will be converted, by the header of `source` alone; None where it
        does not say. Raises what reading does."""
        return None


@dataclass(frozen=True, kw_only=True)
class EncodeOptions(Options):
    """Audio to .nac. `raw_rate` (Hz) makes the input samples without a header, with `raw_channels`
    in `raw_format` (one of `audio.SHORT_NAMES`). `picture` is the path of an image file."""

    COMMAND = "encode"

    settings: EncoderSettings = DEFAULT_SETTINGS
    picture: str | None = None
    keep_tags: bool = True
    verify: bool = False
    raw_rate: int | None = None
    raw_channels: int = 1
    raw_format: str = "s16"

    def convert(self, source: str, target: str, watch: Watch, tell: Tell) -> Progress:
        from nacli.jobs.convert import encode_file

        settings = self.settings
        if self.picture:
            settings = replace(settings, picture=load_picture(self.picture))
        return encode_file(
            source,
            target,
            load_model(self.model),
            settings,
            watch=watch,
            keep_tags=self.keep_tags,
            force=self.force,
            verify=self.verify,
            delete_input=self.delete_input,
            raw=self._raw(),
        )

    def length(self, source: str) -> float | None:
        from nacli.audio import header_seconds

        return header_seconds(source, self._raw())

    def _raw(self) -> AudioInfo | None:
        from nacli.audio import SHORT_NAMES, AudioInfo

        if self.raw_rate is None:
            return None
        return AudioInfo(self.raw_rate, self.raw_channels, SHORT_NAMES[self.raw_format], None)


@dataclass(frozen=True, kw_only=True)
class DecodeOptions(Options):
    """.nac to audio; `start` and `stop` as `parse_position` takes them. With `strict`, damage is an
    error; without, it is concealed. `raw` leaves out the header of the output, whose samples are
    in `raw_format`, or as the original's; with a header they have `bits` ("8" to "32", or "32f" for
    floats), or as many as the original's."""

    COMMAND = "decode"

    start: str = "0"
    stop: str | None = None
    strict: bool = False
    keep_tags: bool = True
    raw: bool = False
    raw_format: str | None = None
    bits: str | None = None

    def convert(self, source: str, target: str, watch: Watch, tell: Tell) -> Progress:
        from nacli.audio import BIT_DEPTHS, SHORT_NAMES
        from nacli.jobs.convert import decode_file

        sample_format = SHORT_NAMES[self.raw_format] if self.raw_format else None
        if self.bits:
            sample_format = BIT_DEPTHS[self.bits]
        return decode_file(
            source,
            target,
            load_model(self.model),
            watch=watch,
            force=self.force,
            delete_input=self.delete_input,
            keep_tags=self.keep_tags,
            start=self.start,
            stop=self.stop,
            on_gap=None if self.strict else lambda gap: tell(f"{input_name(source)}: {gap}"),
            raw=self.raw,
            sample_format=sample_format,
        )

    def length(self, source: str) -> float | None:
        from nacli.inspection.info import read_header

        if source == "-" or not os.path.isfile(source):
            return None
        stream = read_header(source).stream
        if stream.samples is None:
            return None
        rate, end = stream.sample_rate, stream.samples
        start = parse_position(self.start).sample(rate)
        if self.stop is not None:
            end = min(end, parse_position(self.stop).sample(rate))
        return max(0, end - start) / stream.sample_rate


@cache
def load_model(path: str | None) -> Model:
    """The model, loaded once in this process. Raises `BadCheckpoint`."""
    from nacli import api as codec

    return codec.load_model(path)


@cache
def load_picture(path: str) -> bytes:
    """An image file as the front cover: the body of a picture block. Raises `UnreadableInput`."""
    with reading(path), open(path, "rb") as file:
        image = file.read(MAX_PICTURE_BYTES + 1)
    try:
        body = pack_picture(image_picture(image))
    except ValueError as error:
        raise UnreadableInput(f"{path}: {error}") from error
    if len(body) > MAX_PICTURE_BYTES:
        limit = f"{MAX_PICTURE_BYTES >> 20} MiB"
        raise UnreadableInput(f"{path}: a .nac file holds no picture of more than {limit}")
    return body


def run_task(
    options: Options,
    source: str,
    target: str,
    watch: Watch = lambda progress: None,
    tell: Tell = lambda line: None,
) -> Record:
    """Convert one file, whatever happens to it: failures are in the record and raise nothing.

    `watch` is told how far it has come, `tell` of each gap at once, and of warnings. Also deletes
    what killed processes have left in the target's folder.
    """
    began = time.monotonic()
    record = _record(source, target)
    record["bytes_in"] = _size(source)
    try:
        _convert(options, record, watch, tell)
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
        nac_bytes=0,
        kbps=0.0,
        wall_seconds=0.0,
        gap_count=0,
        gaps=[],
        dropped=[],
        notes=[],
        warnings=[],
    )


def _convert(options: Options, record: Record, watch: Watch, tell: Tell) -> None:
    source, target = record["source"], record["target"]
    if target != "-":
        _remove_stale_once(os.path.dirname(os.path.realpath(target)))
        if options.skip_existing and os.path.isfile(target):
            record["status"] = "skipped"
            return
        if options.make_folders:
            make_folders(os.path.dirname(target))

    def note(gap: str) -> None:
        record["gap_count"] += 1
        if len(record["gaps"]) < MAX_GAPS:
            record["gaps"].append(gap)
        tell(gap)

    done = options.convert(source, target, watch, note)
    record["status"] = "done"
    record["dropped"], record["notes"] = list(done.dropped), list(done.notes)
    record["warnings"] = list(done.warnings)
    for warning in done.warnings:
        tell(warning)
    record["exit_code"] = Concealed.exit_code if record["gap_count"] or done.damaged else 0
    record["seconds"], record["kbps"] = round(done.seconds, 6), round(done.kbps, 3)
    record["bytes_out"] = _size(target)
    whole = record["bytes_in" if options.COMMAND == "decode" else "bytes_out"]
    record["nac_bytes"] = whole or done.nac_bytes  # of a part, less of the file has been read


@cache
def _remove_stale_once(folder: str) -> None:
    remove_stale(folder)


def _size(path: str) -> int:
    return os.path.getsize(path) if path != "-" and os.path.isfile(path) else 0
