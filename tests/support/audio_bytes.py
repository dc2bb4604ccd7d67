"""The bytes of audio files, with true or wrong lengths, and what is read of them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from nacli.audio import AudioReader

RATE = 16_000


def sound(samples: int) -> bytes:
    """16-bit samples, no byte of which is zero or a letter."""
    return np.resize(np.array([0xF1E1, 0x81F2, 0xE283], "<u2"), samples).tobytes()


def fmt(align: int = 2) -> bytes:
    return struct.pack("<HHIIHH", 1, 1, RATE, RATE * align, align, 16)


def chunk(name: bytes, body: bytes, size: int | None = None, order: str = "<") -> bytes:
    head = name + struct.pack(f"{order}I", len(body) if size is None else size)
    return head + body + bytes(len(body) % 2)


def wav(body: bytes, size: int, align: int = 2) -> bytes:
    return b"RIFF\x24\0\0\0WAVE" + chunk(b"fmt ", fmt(align)) + chunk(b"data", body, size)


def read_all(path: str) -> tuple[int, str | None, bool]:
    """Samples that are read, the warning, and whether there was damage."""
    with AudioReader(path) as reader:
        given = sum(len(pcm) for pcm in reader.blocks(777))
        return given, reader.warning(), reader.report.damaged


def read(data: bytes, folder: Path) -> tuple[int, str | None, bool]:
    (folder / "in").write_bytes(data)
    return read_all(str(folder / "in"))


def noise(samples: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def made(container: str, subtype: str | None = None, samples: int = 20_000, **more: Any) -> bytes:
    file = io.BytesIO()
    pcm = noise(samples, more.pop("channels", 1))
    soundfile.write(file, pcm, more.pop("rate", RATE), subtype, format=container, **more)
    return file.getvalue()


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def flipped(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return changed(data, at, bytes([data[at] ^ 0x55]))
