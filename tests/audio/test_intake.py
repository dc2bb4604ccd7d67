"""Inputs whose headers do not say the truth: all of their sound is encoded, and none is deleted
whose sound the output may not hold."""

from __future__ import annotations

import io
import json
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
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commands import Run, files, write_tone
from nacli.audio import AudioReader
from nacli.audio.parsing.mpeg import find_streams
from nacli.encoder.settings import EncoderSettings
from nacli.errors import NacliError, UnreadableInput, UnsupportedAudio
from nacli.jobs.convert import encode_file

RATE = 16_000
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
W64_RIFF = bytes.fromhex("2e91cf11a5d628db04c10000")


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
        EncoderSettings(effort=0, packet_frames=30),
        watch=lambda _: None,
        delete_input=True,
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


def with_total(data: bytes, total: int) -> bytes:
    """FLAC whose header promises `total` samples."""
    return changed(data, 21, bytes([data[21] & 0xF0]) + total.to_bytes(4, "big"))


@pytest.mark.parametrize("total", [1, 4096, 8192, 10_000, 19_999, 20_001, 2**31])
def test_flac_that_promises_other_lengths(tmp_path: Path, total: int) -> None:
    data = made("FLAC")
    assert read(data, tmp_path) == (20_000, None, False)
    assert read(with_total(data, 0), tmp_path) == (20_000, None, False)
    given, warning, damaged = read(with_total(data, total), tmp_path)
    assert given == 20_000 and not damaged
    assert warning and f"promises {total / RATE:.3f} s, it holds 1.250 s" in warning
    with AudioReader(str(tmp_path / "in")) as reader:
        assert reader.info.samples is None, "it would be wrong in the header of the output"


@pytest.mark.parametrize("break_it", [lambda b: b[: len(b) * 2 // 3], lambda b: flipped(b)])
def test_damaged_flac_is_read_up_to_the_damage(
    tmp_path: Path, break_it: Callable[[bytes], bytes]
) -> None:
    data = break_it(made("FLAC"))
    given, warning, damaged = read(data, tmp_path)
    assert given in range(4096, 20_000, 4096) and damaged
    assert warning and f"damaged at {given / RATE:.3f} s" in warning
    with pytest.raises(UnreadableInput, match="in: "):  # nothing is left before the damage
        read(data[:60], tmp_path)


def flipped(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return changed(data, at, bytes([data[at] ^ 0x55]))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_all_links_of_a_chained_ogg_stream_are_read(tmp_path: Path, subtype: str) -> None:
    links = [made("OGG", subtype, samples) for samples in (20_000, 9_000, 5_000)]
    assert read(links[0], tmp_path) == (20_000, None, False)
    given, warning, damaged = read(b"".join(links), tmp_path)
    assert given == 34_000 and not damaged
    assert warning == "3 recordings are joined in it; encoded what is there"
    with AudioReader(str(tmp_path / "in")) as reader:
        assert reader.info.samples == 34_000
    for other in (made("OGG", subtype, rate=48_000), made("OGG", subtype, channels=2)):
        with pytest.raises(UnsupportedAudio, match="cannot be joined"):
            read(links[0] + other, tmp_path)


def test_ogg_that_lacks_pages(tmp_path: Path) -> None:
    data = made("OGG", "VORBIS", 100_000)
    pages = [at for at in range(len(data)) if data[at : at + 5] == b"OggS\0"]
    assert len(pages) > 5
    _, warning, damaged = read(data[: pages[-1]], tmp_path)
    assert warning and "last page" in warning and not damaged
    _, warning, damaged = read(data[: pages[3]] + data[pages[4] :], tmp_path)
    assert warning and "missing or damaged" in warning and damaged
    assert read(data[: pages[3]] + b"x" + data[pages[3] :], tmp_path)[0] == 100_000


def ogg_flac(data: bytes) -> bytes:
    """A FLAC file in Ogg pages, all but the first of 4000 bytes."""
    bodies = [b"\x7fFLAC\x01\0\0\x01" + data[:42]]
    bodies += [data[at : at + 4000] for at in range(42, len(data), 4000)]
    pages = b""
    for number, body in enumerate(bodies):
        flags = 2 if number == 0 else 4 if number == len(bodies) - 1 else 0
        table = bytes([255] * (len(body) // 255) + [len(body) % 255])
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, 7, number, 0, len(table))
        pages += head + table + body
    return pages


def test_flac_in_ogg(tmp_path: Path) -> None:
    assert read(ogg_flac(made("FLAC")), tmp_path) == (20_000, None, False)
    with AudioReader(str(tmp_path / "in")) as reader:
        pcm = np.concatenate(list(reader.blocks(6000)))
        assert (reader.info.samples, reader.info.sample_format) == (20_000, "PCM_16")
    np.testing.assert_array_equal(pcm[:, 0], soundfile.read(io.BytesIO(made("FLAC")))[0])
    given, warning, _ = read(ogg_flac(with_total(made("FLAC"), 4096)), tmp_path)
    assert given == 20_000 and warning and "promises 0.256 s" in warning


def mp3(samples: int = 40_000, mode: str = "CONSTANT", rate: int = 44_100) -> bytes:
    return made("MP3", samples=samples, rate=rate, bitrate_mode=mode, compression_level=0.3)


def first_frame(data: bytes, folder: Path) -> int:
    """Bytes of the Xing frame of an MP3 file."""
    (folder / "in").write_bytes(data)
    at = next(at for at in range(100, len(data)) if data[at : at + 2] == data[:2])
    assert data[:at].count(b"Xing") + data[:at].count(b"Info") == 1
    return at


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_all_of_joined_mp3_is_read(tmp_path: Path, mode: str) -> None:
    one, other = mp3(mode=mode), mp3(30_000, mode)
    assert read(one, tmp_path) == (40_000, None, False)
    bare = other[first_frame(other, tmp_path) :]
    frames = read(bare, tmp_path)[0]
    assert 30_000 <= frames < 30_000 + 4 * 1152
    tag = b"TAG" + bytes(125)
    for data, samples in (
        (one + other, 70_000),
        (other + tag + one, 70_000),
        (one + bare, 40_000 + frames),
        (bare + one, 40_000 + frames),
        (one + b"ID3\4\0\0\0\0\0\x09" + bytes(9) + other, 70_000),
    ):
        given, warning, damaged = read(data, tmp_path)
        assert (given, damaged) == (samples, False)
        assert warning == "2 recordings are joined in it; encoded what is there"
    with pytest.raises(UnsupportedAudio, match="cannot be joined"):
        read(one + mp3(rate=48_000), tmp_path)


def test_cut_and_damaged_mp3(tmp_path: Path) -> None:
    data = mp3()
    given, warning, damaged = read(data[: len(data) // 2], tmp_path)
    assert 15_000 < given < 25_000 and not damaged
    assert warning and "promises 0.907 s" in warning
    middle = len(data) // 2
    given, warning, damaged = read(data[:middle] + bytes([1] * 5000) + data[middle:], tmp_path)
    assert given > 36_000 and damaged
    assert warning and "no MPEG audio" in warning


@given(st.binary(max_size=300), st.sampled_from([b"OggS", b"fLaC", b"\xff\xfb\x90\x64", b"caff"]))
@settings(max_examples=30)
def test_nothing_breaks_the_readers(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile"
    whole = {b"OggS": made("OGG", "VORBIS", 100), b"fLaC": made("FLAC", None, 100)}
    whole |= {b"caff": made("CAF", "PCM_16", 100)}
    for content in (magic + data, magic + data + magic + data, whole.get(magic, magic) + data):
        path.write_bytes(content)
        try:
            with AudioReader(str(path)) as reader:
                assert sum(len(pcm) for pcm in reader.blocks(999)) < 100_000
                reader.warning()
        except NacliError:
            pass


def test_recordings_of_other_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no MPEG" * 9)
    with open(tmp_path / "x", "rb") as file:
        assert find_streams(file.fileno(), 63) == []


def test_the_command_warns_keeps_and_reports(tmp_path: Path, nacli: Run) -> None:
    data = write_tone(tmp_path / "cut.wav", 3).read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: 44 + 2 * 33_600])
    (tmp_path / "killed.wav").write_bytes(changed(data, 40, bytes(4)))
    (tmp_path / "empty.wav").write_bytes(changed(data, 40, bytes(4))[:44])
    names = ["cut.wav", "killed.wav", "empty.wav"]
    done = nacli("encode", *names, "-V", "--delete-input", "--silent", "--report", "r.json")
    assert done.returncode == 0
    length = "the header promises 3.000 s, it holds 2.100 s; encoded what is there"
    assert done.stderr.decode().splitlines() == [
        f"nacli: cut.wav: {length}; the input is kept",
        "nacli: empty.wav: there is no sound in it; the input is kept",
    ]
    assert files(tmp_path) == {
        "cut.wav",
        "empty.wav",
        "cut.nac",
        "killed.nac",
        "empty.nac",
        "r.json",
    }
    results = json.loads((tmp_path / "r.json").read_text())["results"]
    assert [(one["seconds"], len(one["warnings"])) for one in results] == [(2.1, 1), (3, 0), (0, 1)]
    piped = nacli("encode", "-", stdin=(tmp_path / "cut.wav").read_bytes())
    assert piped.stderr.decode().splitlines()[0] == f"nacli: standard input: {length}"


def test_damage_has_its_code_in_a_batch(tmp_path: Path, nacli: Run) -> None:
    for name in ("a.flac", "b.flac"):
        (tmp_path / name).write_bytes(flipped(made("FLAC")))
    done = nacli("encode", "a.flac", "b.flac", "-j", "2", "--delete-input")
    assert done.returncode == 14
    assert done.stderr.decode().count("damaged at") == 2
    assert {"a.flac", "b.flac", "a.nac", "b.nac"} == files(tmp_path)
