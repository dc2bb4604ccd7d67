"""The input files of a batch: those that were named, and those in folders."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from nacli.cli.group import one_line
from nacli.errors import NacliError, UnreadableInput, counted
from nacli.files.names import FFMPEG_EXTENSIONS, ffmpeg_command

MAX_EXTENSIONS = 12
"""Number of extensions in a line about files that were not recognised."""


@dataclass(frozen=True)
class InputFile:
    """An input file. `relative` is its path under the folder that was named, which the outputs
    mirror; `fault` is the reason why it cannot be converted."""

    path: str
    relative: str
    fault: NacliError | None = None


def find_inputs(
    source: str, recursive: bool, extensions: Collection[str], unrecognised: Counter[str]
) -> Iterator[InputFile]:
    """Yield the file that `source` names, or with `recursive` all files in that folder which have
    one of `extensions`. Other files in it are counted in `unrecognised`, by their extension."""
    if source == "-" or not os.path.isdir(source):
        yield InputFile(source, os.path.basename(source))
    elif not recursive:
        yield InputFile(source, "", folder_fault(source))
    else:
        yield from _walk(source, extensions, unrecognised)


def folder_fault(source: str) -> UnreadableInput:
    """Return the error for a folder that is given without -r."""
    return UnreadableInput(f"{source} is a folder (-r takes the files in it)")


def file_extension(path: str) -> str:
    """Return the extension of a path in lower case, with its dot."""
    return os.path.splitext(path)[1].lower()


def _walk(top: str, extensions: Collection[str], unrecognised: Counter[str]) -> Iterator[InputFile]:
    """Yield the files of a tree in the order of their names.

    Links to folders are not followed, so there are no loops; pipes and devices are left out, as
    they might never end. Hidden files and .nac files are not counted as unrecognised.
    """
    faults: list[OSError] = []
    for folder, subfolders, names in os.walk(top, onerror=faults.append):
        subfolders.sort()
        for name in sorted(names):
            path, extension = os.path.join(folder, name), file_extension(name)
            if extension in extensions and _may_be_file(path):
                yield InputFile(path, os.path.relpath(path, top))
            elif extension not in (*extensions, ".nac") and name[0] != "." and os.path.isfile(path):
                unrecognised[extension] += 1
    for fault in faults:
        path = os.fsdecode(fault.filename)
        cause = fault.strerror or os.strerror(errno.EIO)
        yield InputFile(path, "", UnreadableInput(f"{path}: {cause}"))


def _may_be_file(path: str) -> bool:
    """Return whether `path` is a file, or a broken link, which will be reported."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def unrecognised_line(unrecognised: Mapping[str, int]) -> str:
    """Return one line about files in folders that are not recognised as audio: how many, their
    extensions, and a command for those that ffmpeg decodes."""
    names = sorted(unrecognised, key=lambda name: (-unrecognised[name], name))
    shown = [name or "no extension" for name in names[:MAX_EXTENSIONS]]
    if len(names) > MAX_EXTENSIONS:
        shown.append(f"{len(names) - MAX_EXTENSIONS} more")
    files = counted(sum(unrecognised.values()), "file")
    line = f"{files} not recognised as audio: {', '.join(shown)}"
    if media := [name for name in names if name in FFMPEG_EXTENSIONS]:
        line += f"; ffmpeg decodes {', '.join(media)}: {ffmpeg_command(f'x{media[0]}')}"
    return one_line(line)
