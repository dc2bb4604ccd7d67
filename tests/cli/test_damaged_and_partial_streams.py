"""The command line on damaged files, parts of files and headerless samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from commands import RATE, Run, assert_failed, files, tone, write_tone
from loss import packet_bounds


@pytest.fixture
def damaged(tmp_path: Path, nacli: Run) -> Path:
    """Four seconds in packets of 200 ms, the sixth broken, and what it decodes to unbroken."""
    write_tone(tmp_path / "x.wav", 4)
    assert nacli("encode", "x.wav", "--packet-ms", "200").returncode == 0
    assert nacli("decode", "x.nac", "-o", "whole.wav").returncode == 0
    data = bytearray((tmp_path / "x.nac").read_bytes())
    data[packet_bounds(bytes(data))[5][0] + 9] ^= 1
    (tmp_path / "bad.nac").write_bytes(data)
    return tmp_path


def test_damage_is_concealed_and_reported_with_its_exit_code(damaged: Path, nacli: Run) -> None:
    done = nacli("decode", "bad.nac", "-o", "y.wav", "--report", "r.json")
    said = done.stderr.decode().splitlines()
    assert done.returncode == 14 and len(said) == 2
    assert said[0].startswith("nacli: bad.nac: at 0.9") and "0.200 s concealed: damaged" in said[0]
    assert "damaged in 1 place" in said[1]
    [record] = json.loads((damaged / "r.json").read_text())["results"]
    assert (record["status"], record["exit_code"], record["gap_count"]) == ("done", 14, 1)
    whole, heard = (soundfile.read(damaged / name)[0] for name in ("whole.wav", "y.wav"))
    assert len(whole) == len(heard)
    differs = np.flatnonzero(whole != heard) / RATE
    assert differs.min() > 0.9 and differs.max() < 2.6  # the context of the network and the filter
    assert np.abs(whole - heard)[int(1.5 * RATE) :].max() < 0.003


def test_damage_keeps_the_input_and_strict_stops(damaged: Path, nacli: Run) -> None:
    done = nacli("decode", "bad.nac", "--delete-input", "--silent")
    assert done.returncode == 14
    assert {"bad.nac", "bad.wav"} <= files(damaged)
    assert_failed(nacli("decode", "bad.nac", "-o", "z.wav", "--strict"), 7, "bad.nac", "CRC")
    assert "z.wav" not in files(damaged)


def test_a_batch_reports_every_gap(damaged: Path, nacli: Run) -> None:
    done = nacli("decode", "bad.nac", "x.nac", "-j", "2", "--output-dir", "out")
    assert done.returncode == 14
    assert done.stderr.decode().count("concealed") == 1
    assert files(damaged / "out") == {"bad.wav", "x.wav"}


def test_a_truncated_file_is_decoded_up_to_its_end(damaged: Path, nacli: Run) -> None:
    data = (damaged / "x.nac").read_bytes()
    (damaged / "cut.nac").write_bytes(data[: packet_bounds(data)[10][0] + 5])
    done = nacli("decode", "cut.nac", stdin=b"")
    assert done.returncode == 14 and b"the file ends inside a packet" in done.stderr
    assert abs(soundfile.info(damaged / "cut.wav").duration - 10 * 0.2) < 0.02


def test_check_distinguishes_whole_and_damaged_files(damaged: Path, nacli: Run) -> None:
    done = nacli("info", "--check", "x.nac")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x.nac: whole\n", b"")
    done = nacli("info", "--check", "bad.nac", "x.nac", "x.wav")
    assert done.returncode == 7 and done.stdout == b"x.nac: whole\n"
    assert [line.split(":")[1] for line in done.stderr.decode().splitlines()] == [
        " bad.nac",
        " x.wav",
    ]
    data = (damaged / "x.nac").read_bytes()
    start, stop = packet_bounds(data)[3]
    (damaged / "lost.nac").write_bytes(data[:start] + data[stop:])
    assert_failed(nacli("info", "--check", "lost.nac"), 7, "1 packet is missing")
    (damaged / "order.nac").write_bytes(
        data[:start]
        + data[slice(*packet_bounds(data)[4])]
        + data[start:stop]
        + data[packet_bounds(data)[4][1] :]
    )
    assert_failed(nacli("info", "--check", "order.nac"), 7, "out of order")


@pytest.mark.parametrize(
    ("options", "start", "stop"),
    [
        (["--start", "1:0"], None, None),
        (["--start", "2.5"], 40_000, None),
        (["--start", "0:01", "--end", "00:00:02.25"], 16_000, 36_000),
        (["--start", "12345smp", "--end", "12346smp"], 12_345, 12_346),
        (["--end", "9"], 0, None),
    ],
)
def test_parts_equal_the_whole(
    damaged: Path, nacli: Run, options: list[str], start: int | None, stop: int | None
) -> None:
    done = nacli("decode", "x.nac", "-o", "part.wav", *options)
    if start is None:
        assert_failed(done, 16, "x.nac", "ends at 4.000 s")
        return
    assert done.returncode == 0
    whole, part = (soundfile.read(damaged / name)[0] for name in ("whole.wav", "part.wav"))
    np.testing.assert_array_equal(part, whole[start:stop])
    piped = nacli("decode", "-", *options, stdin=(damaged / "x.nac").read_bytes())
    assert piped.stdout[44:] == (damaged / "part.wav").read_bytes()[44:]


def test_a_part_of_a_long_file_reads_little_of_it(tmp_path: Path, nacli: Run) -> None:
    """A hole of zeros where nothing needs to be read goes unnoticed."""
    soundfile.write(tmp_path / "x.wav", tone(90, 8), RATE)
    assert nacli("encode", "x.wav", "--packet-ms", "100").returncode == 0
    assert nacli("decode", "x.nac", "-o", "whole.wav").returncode == 0
    data = bytearray((tmp_path / "x.nac").read_bytes())
    start = packet_bounds(bytes(data[: 1 << 14]))[0][0] + (1 << 16)
    middle = len(data) // 2
    assert start < middle
    data[start:middle] = bytes(middle - start)
    (tmp_path / "hole.nac").write_bytes(data)
    done = nacli("decode", "hole.nac", "-o", "part.wav", "--start", "80", "--end", "81")
    assert done.returncode == 0, done.stderr
    whole, part = (soundfile.read(tmp_path / name)[0] for name in ("whole.wav", "part.wav"))
    np.testing.assert_array_equal(part, whole[80 * RATE : 81 * RATE])


@pytest.mark.parametrize("options", [["--start", "x"], ["--end", "-1"], ["--start", "1:2:3:4"]])
def test_invalid_positions_are_usage_errors(tmp_path: Path, nacli: Run, options: list[str]) -> None:
    assert nacli("decode", "x.nac", *options).returncode == 2


def test_headerless_samples(tmp_path: Path, nacli: Run) -> None:
    pcm = (tone(1, 2) * 32767).astype("<i2")
    layout = ["--raw", "--rate", str(RATE), "--channels", "2", "--format", "s16"]
    done = nacli("encode", "-", *layout, stdin=pcm.tobytes())
    assert done.returncode == 0, done.stderr
    (tmp_path / "x.nac").write_bytes(done.stdout)
    soundfile.write(tmp_path / "x.wav", pcm, RATE)
    assert nacli("encode", "x.wav", "-o", "y.nac").returncode == 0
    back = nacli("decode", "-", "--raw", stdin=done.stdout)
    assert back.returncode == 0 and len(back.stdout) == pcm.nbytes
    assert nacli("decode", "y.nac", "-o", "y.wav").returncode == 0
    decoded = soundfile.read(tmp_path / "y.wav", dtype="int16")[0]
    np.testing.assert_array_equal(np.frombuffer(back.stdout, "<i2").reshape(-1, 2), decoded)
    floats = nacli("decode", "y.nac", "--raw", "--format", "f32", "-o", "y.f32")
    assert floats.returncode == 0
    heard = np.fromfile(tmp_path / "y.f32", "<f4").reshape(-1, 2)
    assert np.abs(heard - decoded / 32768).max() < 1e-4


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "-", "--raw"],
        ["encode", "-", "--rate", "16000"],
        ["encode", "-", "--raw", "--rate", "16000", "--format", "mp3"],
        ["decode", "x.nac", "--format", "s16"],
    ],
)
def test_an_incomplete_raw_layout_is_a_usage_error(
    tmp_path: Path, nacli: Run, arguments: list[str]
) -> None:
    assert nacli(*arguments).returncode == 2
