"""What all conversions of a process share: the model and the cover picture, each loaded once, and
the cores."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nacli.errors import UnreadableInput
from nacli.files.inputs import reading
from nacli.format import MAX_PICTURE_BYTES, image_picture, pack_picture

if TYPE_CHECKING:
    from nacli.checkpoint import Model


@cache
def load_model(path: str | None, device: str = "cpu") -> Model:
    """Load a checkpoint, by default the built-in one, whose networks run on `device`.

    Raises:
        BadCheckpoint: a file of the checkpoint is missing or damaged.
        NacliError: the device is not available.
    """
    from nacli import checkpoint

    return checkpoint.load_model(Path(path) if path else None, device=device)


@cache
def load_picture(path: str) -> bytes:
    """Read an image file as the front cover: the body of a picture block.

    Raises:
        UnreadableInput: the file cannot be read, is no image, or is too large for a .nac file.
    """
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


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
