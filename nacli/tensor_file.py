"""A reader of `.safetensors` files. It maps them into memory, so that values are read when they are
used, and processes share them.

A file has the length of the header in eight bytes, the header, which is JSON (the type, shape and
position of each tensor by its name), and the values; see
https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]
"""Tensors by their names."""

DTYPES = {
    "BOOL": "?",
    "I8": "i1",
    "U8": "u1",
    **{f"I{bits}": f"<i{bits // 8}" for bits in (16, 32, 64)},
    **{f"U{bits}": f"<u{bits // 8}" for bits in (16, 32, 64)},
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
"""NumPy's types by their names in the format."""


def read_tensors(path: Path) -> Tensors:
    """Return all tensors of a file by name, read-only.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is of another format, cut short, or has bytes outside of its tensors.
    """
    try:
        return _read(path)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"its header is damaged: {error!r}") from error


def _read(path: Path) -> Tensors:
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < start:
        raise ValueError("it is cut short")
    entries = json.loads(data[8:start])
    entries.pop("__metadata__", None)
    tensors, end = {}, 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["data_offsets"][0] != end:
            raise ValueError(f"{name} has the wrong position")
        end = entry["data_offsets"][1]
        tensors[name] = _tensor(data, start, name, entry)
    if start + end != len(data):
        raise ValueError("its length differs from that of its tensors")
    return tensors


def _tensor(data: mmap.mmap, start: int, name: str, entry: dict[str, Any]) -> NDArray[Any]:
    dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(map(int, entry["shape"]))
    begin, end = entry["data_offsets"]
    count = math.prod(shape)
    if min(shape, default=0) < 0 or end - begin != count * dtype.itemsize:
        raise ValueError(f"the length of {name} contradicts its shape")
    return np.frombuffer(data, dtype, count, start + begin).reshape(shape)
