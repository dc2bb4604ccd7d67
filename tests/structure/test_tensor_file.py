"""Tensor files are read as the safetensors library reads them, and damaged files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nacli.checkpoint import default_path, load_checkpoint
from nacli.errors import BadCheckpoint
from nacli.tensor_file import read_tensors


def test_shipped_tensors_equal_those_of_the_safetensors_library() -> None:
    tensors, reference = read_tensors(default_path()), load_file(default_path())
    assert tensors.keys() == reference.keys()
    for name, tensor in reference.items():
        assert tensors[name].dtype == tensor.dtype and not tensors[name].flags.writeable
        np.testing.assert_array_equal(tensors[name], tensor)


@pytest.mark.parametrize("kind", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4"])
def test_every_numeric_type_is_read(kind: str, tmp_path: Path) -> None:
    values = {"one": np.arange(6).reshape(2, 3).astype(kind), "none": np.zeros((0, 4), kind)}
    save_file(values, tmp_path / "x.safetensors", metadata={"made": "here"})
    tensors = read_tensors(tmp_path / "x.safetensors")
    for name, tensor in values.items():
        np.testing.assert_array_equal(tensors[name], tensor)


def file_of(entries: Any, data: bytes = bytes(8)) -> bytes:
    """Return a file with this header and these values."""
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
GOOD = file_of({"a": ENTRY})
BROKEN = {
    "empty": b"",
    "only a length": GOOD[:8],
    "cut header": GOOD[:20],
    "cut data": GOOD[:-1],
    "more data": GOOD + b"\0",
    "endless header": b"\xff" * 8 + GOOD[8:],
    "no JSON": file_of({"a": ENTRY}).replace(b"{", b"(", 1),
    "a list": file_of([ENTRY]),
    "no entry": file_of({"a": 3}),
    "unknown type": file_of({"a": ENTRY | {"dtype": "BF16"}}),
    "another shape": file_of({"a": ENTRY | {"shape": [3]}}),
    "negative shape": file_of({"a": ENTRY | {"shape": [-1, -2]}}),
    "huge shape": file_of({"a": ENTRY | {"shape": [1 << 62, 4]}}),
    "offsets that overlap": file_of({"a": ENTRY, "b": ENTRY}),
    "offsets before the start": file_of({"a": ENTRY | {"data_offsets": [-8, 0]}}),
    "one offset": file_of({"a": ENTRY | {"data_offsets": [0]}}),
    "no offsets": file_of({"a": ENTRY | {"data_offsets": None}}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_files_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.with_suffix(".json").write_text(default_path().with_suffix(".json").read_text())
    path.write_bytes(BROKEN[name])
    with pytest.raises(BadCheckpoint, match="not a usable checkpoint"):
        load_checkpoint(path)
