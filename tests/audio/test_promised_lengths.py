"""Headers with wrong lengths: all sound is read, and an input is kept if the output may lack sound
of it."""

from __future__ import annotations

import os
import re
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audio_bytes import RATE, changed, chunk, fmt, made, read, read_all, sound, wav
from nacli.audio import AudioReader
from nacli.encoder.settings import EncoderSettings
from nacli.jobs.encode_file import encode_file
from nacli.jobs.options import EncodeOptions

W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")


W64_RIFF = bytes.fromhex("2e91cf11a5d628db04c10000")


def rf64(body: bytes, size: int, magic: bytes = b"RF64") -> bytes:
    long_sizes = struct.pack("<QQQI", 0, size, 0, 0)
    head = magic + b"\xff\xff\xff\xffWAVE" + chunk(b"ds64", long_sizes) + chunk(b"fmt ", fmt())
    return head + chunk(b"data", body, 0xFFFFFFFF)


def bw64(body: bytes, size: int) -> bytes:
    return rf64(body, size, b"BW64")


def w64(body: bytes, size: int) -> bytes:
    size += 24 if 0 < size < 2**62 else 0
    head = b"riff" + W64_RIFF + bytes(8) + b"wave" + W64_TAIL
    head += b"fmt " + W64_TAIL + struct.pack("<Q", 40) + fmt()
    return head + b"data" + W64_TAIL + struct.pack("<Q", size) + body


def aiff(body: bytes, size: int) -> bytes:
    size += 8 if 0 < size < 2**31 - 64 else 0
    common = struct.pack(">hIh", 1, max(0, size - 8) // 2, 16)
    common += bytes.fromhex("400cfa00000000000000")
    head = b"FORM\0\0\0\0AIFF" + chunk(b"COMM", common, order=">")
    swapped = np.frombuffer(body, "<u2").astype(">u2").tobytes()
    return head + chunk(b"SSND", bytes(8) + swapped, size, ">")


LONG = (0, 2**64 - 1)


SHORT = (0, 2**32 - 1, 0x7FFFF000)


CONTAINERS: dict[Callable[[bytes, int], bytes], tuple[int, ...]] = {
    wav: SHORT,
    rf64: LONG,
    bw64: LONG,
    w64: (*LONG, 2**63 - 1),
    aiff: (0, 2**32 - 1, 0x7F000000),
}
"""How to write them, and what they may have for an unknown length."""


@dataclass(frozen=True)
class Case:
    """A file, the samples that are in it and that its header leads to, and whether all is well."""

    data: bytes
    readable: int
    honest: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    write = draw(st.sampled_from(list(CONTAINERS)))
    samples = draw(st.integers(0, 400))
    body = sound(samples)
    kind = draw(st.sampled_from(["true", "unknown", "long", "short", "junk", "chunk", "second"]))
    if kind == "unknown":
        data = write(body, draw(st.sampled_from(CONTAINERS[write])))
        return Case(data, samples, samples > 0)
    if kind == "long":
        return Case(write(body, len(body) + 2 * draw(st.integers(1, 10**6))), samples, False)
    if kind == "short":
        promised = draw(st.integers(1, 400))
        data = write(sound(promised + samples), 2 * promised)
        return Case(data, promised, samples == 0)
    data = write(body, len(body))
    order = ">" if write is aiff else "<"
    if kind == "junk" and samples:
        return Case(data + sound(draw(st.integers(1, 99))), samples, False)
    if kind == "chunk" and write is not w64 and samples:
        return Case(data + chunk(b"LIST", b"INFOabcd", order=order), samples, True)
    if kind == "second" and write is not w64 and samples:
        name = b"SSND" if write is aiff else b"data"
        return Case(data + chunk(name, bytes(8) + sound(9), order=order), samples, False)
    return Case(data, samples, samples > 0)


@contextmanager
def as_pipe(data: bytes) -> Any:
    """`data`, which fits into a pipe at once, as standard input."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    before, sys.stdin = sys.stdin, os.fdopen(reading)
    try:
        yield "-"
    finally:
        sys.stdin.close()
        sys.stdin = before


@contextmanager
def as_fifo(data: bytes, path: Path) -> Any:
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    yield str(path)
    writer.join()


NUMBERS = count()


@given(cases())
@example(Case(wav(sound(300), 0), 300, True))  # a recorder that was killed
@example(Case(rf64(sound(300), 0), 300, True))  # ffmpeg's stream
@example(Case(wav(sound(210), 600), 210, False))
@example(Case(wav(b"", 600), 0, False))
@settings(max_examples=40)
def test_no_recording_is_lost(
    tmp_path_factory: pytest.TempPathFactory, model: Any, case: Case
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"lengths{next(NUMBERS)}"
    folder.mkdir()
    source = folder / "x"
    source.write_bytes(case.data)
    done = encode_file(
        *(str(source), str(folder / "x.nac"), model),
        EncodeOptions(settings=EncoderSettings(effort=0, packet_frames=30), delete_input=True),
        lambda _: None,
    )
    assert done.samples == case.readable
    assert source.exists() != case.honest
    assert len(done.warnings) == (0 if case.honest else 1)
    assert not any("\n" in line for line in done.warnings)
    said = [line.removeprefix(f"{source}: ") for line in done.warnings]
    with as_pipe(case.data) as path:
        piped = read_all(path)
    with as_fifo(case.data, folder / "fifo") as path:
        sent = read_all(path)
    assert piped == sent
    assert piped[0] == case.readable
    assert [f"{line}; the input is kept" for line in piped[1:2] if line] == said


@pytest.mark.parametrize(
    ("container", "subtype", "name", "offset", "unknown"),
    [
        ("AU", "PCM_16", b".snd", 8, (bytes(4), b"\xff" * 4)),
        ("AU", "ULAW", b".snd", 8, (bytes(4), b"\xff" * 4)),
        ("CAF", "PCM_16", b"data", 4, (bytes(8), b"\xff" * 8)),
        ("AIFF", "ULAW", b"SSND", 4, (bytes(4), b"\xff" * 4)),
        ("W64", "ALAW", b"data", 16, (bytes(8), b"\x18" + bytes(7))),
        ("WAV", "ULAW", b"data", 4, (bytes(4), b"\xff" * 4)),
        ("WAV", "IMA_ADPCM", b"data", 4, (bytes(4), b"\xff" * 4)),
    ],
)
def test_other_containers_and_formats(
    tmp_path: Path, container: str, subtype: str, name: bytes, offset: int, unknown: Any
) -> None:
    data = made(container, subtype)
    whole, warning, _ = read(data, tmp_path)
    assert whole >= 20_000 and warning is None
    for size in unknown:
        assert read(changed(data, data.index(name) + offset, size), tmp_path)[:2] == (whole, None)
    given, warning, damaged = read(data[: len(data) // 2], tmp_path)
    assert 0 < given < whole and not damaged
    promised, found = re.findall(r"[0-9.]+(?= s)", warning or "")
    assert float(promised) == pytest.approx(whole / RATE, rel=0.01)
    assert float(found) == pytest.approx(given / RATE, abs=0.001)


@pytest.mark.parametrize("align", [0, 1, 3, 4, 6])
def test_a_wrong_block_align_changes_nothing(tmp_path: Path, align: int) -> None:
    (tmp_path / "x").write_bytes(wav(sound(100), 200, align))
    data = (tmp_path / "x").read_bytes()
    with (
        as_pipe(data) as pipe,
        AudioReader(pipe) as piped,
        AudioReader(str(tmp_path / "x")) as file,
    ):
        assert file.info == piped.info
        [pcm], [same] = list(file.blocks(200)), list(piped.blocks(200))
    assert np.array_equal(pcm, same)
    assert np.array_equal(pcm[:, 0] * 32768, np.frombuffer(sound(100), "<i2"))
