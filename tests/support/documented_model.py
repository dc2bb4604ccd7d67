"""The model file, read as FORMAT.md describes it. It imports nothing of nacli."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class ModelFile:
    """A model file, and its digests."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        (length,) = struct.unpack_from("<Q", data)
        types = {"F16": "<f2", "F32": "<f4", "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2"}
        types |= {"I32": "<i4", "U32": "<u4"}
        self.config: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())["model"]
        self.tensors: dict[str, Array] = {}
        digest = hashlib.sha256(json.dumps(self.config, sort_keys=True).encode())
        fields = json.loads(data[8 : 8 + length])
        for name in sorted(set(fields) - {"__metadata__"}):
            kind, shape = types[fields[name]["dtype"]], tuple(fields[name]["shape"])
            start, end = (8 + length + offset for offset in fields[name]["data_offsets"])
            self.tensors[name] = np.frombuffer(data[start:end], kind).reshape(shape)
            digest.update(f"\n{name} {kind} {shape}\n".encode() + data[start:end])
        self.digest = digest.digest()[:8]

    def __getitem__(self, name: str) -> Array:
        """Return a tensor: floats in single precision, tables as 64-bit integers."""
        tensor = self.tensors[name]
        return tensor.astype(np.float32 if tensor.dtype.kind == "f" else np.int64)

    def table_digests(self) -> tuple[bytes, bytes]:
        """Return the digests of CODEBOOKS and of ENTROPY (kind 1)."""
        books = b""
        for name in ("codebooks", "corrections"):
            entries = self.tensors[f"{name}.entries"]
            books += struct.pack("<3H", *entries.shape)
            books += self.tensors[f"{name}.scales"].tobytes() + entries.tobytes()
        names = "mean_bits multipliers offsets ranks shifts frame frame_bias own own_bias hidden"
        names += " hidden_bias last last_bias outputs prior exp2"
        parts = [self.tensors[f"entropy.learned.{name}"] for name in names.split()]
        offsets, ranks, frame, own, last, exp2 = (parts[i] for i in (2, 3, 5, 7, 11, 15))
        sizes = (*self["codebooks.entries"].shape[:2], len(offsets), len(ranks), len(frame))
        sizes += (len(own), *last.shape, len(exp2))
        tables = struct.pack("<9H", *sizes) + self.tensors["entropy.gains"].tobytes()
        tables += b"".join(part.tobytes() for part in parts)
        tables += struct.pack("<2H", *self.tensors["entropy.corrections"].shape)
        for name in ("correction_numbers", "corrections"):
            tables += self.tensors[f"entropy.{name}"].tobytes()
        tables += struct.pack("<2H", 5, 40)
        for name in ("high_numbers", "high"):
            tables += self.tensors[f"entropy.{name}"].tobytes()
        return hashlib.sha256(books).digest()[:8], hashlib.sha256(tables).digest()[:8]
