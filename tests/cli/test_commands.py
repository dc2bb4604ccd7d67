"""The command line as a process: its outputs, messages and exit codes.

Most of them run with the fake model, whose start is quick; a few with the shipped one.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from commands import ENVIRONMENT, FAKE, RATE, REAL, Run, assert_failed, files, run, tone, write_tone
from nacli.checkpoint import default_path
from nacli.errors import BadCheckpoint
from nacli.inspection.info import read_info


def test_a_file_is_encoded_and_decoded(tmp_path: Path, nacli: Run) -> None:
    write_tone(tmp_path / "x.wav", subtype="PCM_24")
    encoded = nacli("encode", "x.wav")
    decoded = nacli("decode", "x.nac", "-o", "y.flac")
    assert (encoded.returncode, decoded.returncode) == (0, 0), encoded.stderr + decoded.stderr
    assert (encoded.stdout, decoded.stdout) == (b"", b"")
    assert files(tmp_path) == {"x.wav", "x.nac", "y.flac"}
    info = soundfile.info(tmp_path / "y.flac")
    assert (info.frames, info.samplerate, info.channels) == (2 * RATE, RATE, 1)
    assert (info.format, info.subtype) == ("FLAC", "PCM_24")
    assert encoded.stderr.startswith(b"x.wav -> x.nac  2.00 s, ")
    assert decoded.stderr.startswith(b"x.nac -> y.flac  2.00 s, ")
    assert encoded.stderr.count(b"\n") == 1
    info = read_info(tmp_path / "x.nac")
    rate = f"{info.audio_bytes * 8 / 1000 / 2:.2f} kbps, {info.file_bytes} bytes, ".encode()
    assert rate in encoded.stderr and rate in decoded.stderr


def test_the_bitrate_is_that_of_the_audio_also_for_a_part(tmp_path: Path, nacli: Run) -> None:
    write_tone(tmp_path / "x.wav")
    said = []
    for tags in ([], ["--tag", "LYRICS=" + "la " * 9999]):
        said.append(nacli("encode", "x.wav", "-f", *tags).stderr.decode())
        size = (tmp_path / "x.nac").stat().st_size
        said.append(nacli("decode", "x.nac", "-o", "y.wav", "-f", "--end", "0.1").stderr.decode())
        assert f" {size} bytes, " in said[-1] and f" {size} bytes, " in said[-2]
        said.append(nacli("info", "x.nac").stdout.decode())
    rates = [float(re.findall(r"([0-9.]+) kbps", text)[0]) for text in said]
    assert max(rates[::3]) - min(rates[::3]) < 0.01 and rates[2::3] == rates[::3]
    assert max(rates) < 1.5 * min(rates)


def test_a_bitrate_that_is_out_of_reach_is_noted(tmp_path: Path, nacli: Run) -> None:
    noise = np.random.default_rng(1).normal(size=3 * RATE // 40).repeat(40) * 0.1
    soundfile.write(tmp_path / "noise.wav", noise, RATE)
    soundfile.write(tmp_path / "silence.wav", noise * 0, RATE)
    done = nacli("encode", "--bitrate", "24", "noise.wav", "silence.wav", "--report", "r.json")
    lines = done.stderr.decode().splitlines()
    [note] = [line for line in lines if "more than nacli can use" in line]
    kbps = read_info(tmp_path / "noise.nac").kbps
    assert note == (
        "noise.wav -> noise.nac: 24 kbps are more than nacli can use for this sound, "
        f"which takes {kbps:.2f} kbps"
    )
    results = json.loads((tmp_path / "r.json").read_text())["results"]
    assert [len(record["notes"]) for record in results] == [1, 0]
    assert (done.returncode, [record["exit_code"] for record in results]) == (0, [0, 0])
    low = nacli("encode", "--bitrate", "1.5", "noise.wav", "-o", "low.nac")
    usual = nacli("encode", "noise.wav", "-o", "usual.nac")  # nobody asked for a rate
    assert b"more than" not in low.stderr + usual.stderr


def test_names_that_are_not_utf8_are_in_json(tmp_path: Path, nacli: Run) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    os.rename(write_tone(tmp_path / "x.wav", 0.5), tmp_path / name)
    assert nacli("encode", name, "--report", "r.json").returncode == 0
    done = nacli("info", "--json", os.fsdecode(b"caf\xe9.nac"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["file"] == "caf\ufffd.nac"
    [record] = json.loads((tmp_path / "r.json").read_text())["results"]
    assert record["source"] == "caf\ufffd.wav"


def test_pipes_give_the_same_as_files(tmp_path: Path, nacli: Run) -> None:
    wav = write_tone(tmp_path / "x.wav").read_bytes()
    (tmp_path / "-").touch()  # a file of that name is not in the way
    assert nacli("encode", "x.wav", "--silent").stderr == b""
    nac = (tmp_path / "x.nac").read_bytes()
    assert nacli("encode", "-", stdin=wav).stdout == nac
    assert nacli("encode", "x.wav", "-o", "-").stdout == nac
    nacli("encode", "-", "-o", "z.nac", stdin=wav)
    assert (tmp_path / "z.nac").read_bytes() == nac
    nacli("decode", "x.nac", "-o", "y.wav")
    piped = nacli("decode", "-", stdin=nac).stdout
    direct, _ = soundfile.read(tmp_path / "y.wav")
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(piped))[0], direct)


def test_several_inputs_and_a_folder(tmp_path: Path, nacli: Run) -> None:
    for name in ("a.wav", "b.flac"):
        write_tone(tmp_path / name, 0.5)
    (tmp_path / "out").mkdir()
    done = nacli("encode", "a.wav", "missing.wav", "b.flac", "-o", "out")
    assert done.returncode == 3
    assert files(tmp_path / "out") == {"a.nac", "b.nac"}
    assert b"nacli: missing.wav: " in done.stderr
    assert nacli("encode", "a.wav", "b.flac").returncode == 0
    assert nacli("encode", "a.wav", "-o", "out").returncode == 10


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode"],
        ["encode", "a.wav", "b.wav", "-o", "x.nac"],
        ["encode", "a.wav", "b.wav", "-o", "-"],
        ["encode", "-", "-o", "."],
        ["encode", "."],
        ["encode", "/", "-o", "."],
        ["encode", "a.wav", "x.nac"],
        ["encode", "a.wav", "--packet-ms", "1"],
        ["encode", "a.wav", "--bitrate", "much"],
        ["nothing"],
    ],
)
def test_usage_errors(nacli: Run, arguments: list[str]) -> None:
    done = nacli(*arguments)
    assert done.returncode == 2
    assert b"Error: " in done.stderr


def test_each_cause_has_its_code(tmp_path: Path, nacli: Run) -> None:
    write_tone(tmp_path / "x.wav")
    nacli("encode", "x.wav")
    nac = (tmp_path / "x.nac").read_bytes()
    (tmp_path / "text.nac").write_text("no audio here")
    (tmp_path / "version.nac").write_bytes(nac[:4] + b"\x09" + nac[5:])
    (tmp_path / "header.nac").write_bytes(nac[:20] + b"\xff" + nac[21:])
    middle = len(nac) // 2
    (tmp_path / "packet.nac").write_bytes(
        nac[:middle] + bytes([nac[middle] ^ 1]) + nac[middle + 1 :]
    )
    (tmp_path / "cut.nac").write_bytes(nac[:middle])
    (tmp_path / "notes.txt").write_text("no audio here")
    soundfile.write(tmp_path / "low.wav", np.zeros(100), 4_000)
    before = files(tmp_path)
    assert_failed(nacli("encode", "missing.wav"), 3, "missing.wav", "No such file")
    assert_failed(nacli("encode", "notes.txt"), 3, "notes.txt")
    assert_failed(nacli("encode", "low.wav"), 4, "low.wav", "4000 Hz")
    assert_failed(nacli("encode", "x.wav", "-f", "--bitrate", "99"), 4, "x.wav", "99 kbps")
    assert_failed(nacli("decode", "x.nac", "-o", "y.txt"), 4, "y.txt", ".flac")
    assert_failed(nacli("decode", "text.nac"), 5, "text.nac")
    assert_failed(nacli("decode", "header.nac"), 6, "header.nac")
    assert_failed(nacli("decode", "packet.nac", "--strict"), 7, "packet.nac", "byte")
    assert_failed(nacli("decode", "cut.nac", "--strict"), 7, "cut.nac")
    assert_failed(nacli("decode", "version.nac"), 9, "version.nac", "9")
    assert_failed(nacli("encode", "x.wav"), 10, "x.nac", "-f")
    assert_failed(nacli("decode", "x.nac"), 10, "x.wav", "-f")
    assert_failed(nacli("encode", "x.wav", "-o", "x.wav", "-f"), 10, "same file")
    assert_failed(nacli("encode", "x.wav", "-o", "nowhere/x.nac"), 11, "nowhere")
    assert_failed(nacli("encode", "x.wav", "-o", "/dev/full"), 11, "No space left")
    with open("/dev/full", "wb") as full:
        command = [*FAKE, "info", "x.nac"]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False
        )
    assert_failed(done, 11, "standard output", "No space left")
    assert files(tmp_path) == before


def test_info_as_text_and_as_json(tmp_path: Path, nacli: Run) -> None:
    write_tone(tmp_path / "x.wav")
    nacli("encode", "x.wav")
    nac = (tmp_path / "x.nac").read_bytes()
    (tmp_path / "cut.nac").write_bytes(nac[:-3])
    text = nacli("info", "x.nac").stdout.decode()
    for words in ("2.000 s, 32000 samples", "16000 Hz, 1 channel", "PCM_16", "kbps", "referenced"):
        assert words in text
    assert "damage     none" in text
    assert "end record" in nacli("info", "cut.nac").stdout.decode()
    one = json.loads(nacli("info", "--json", "x.nac").stdout)
    assert (one["file"], one["samples"], one["damages"]) == ("x.nac", 32_000, [])
    assert nacli("info", "--json", "-", stdin=nac).stdout == nacli(
        "info", "--json", "x.nac"
    ).stdout.replace(b'"x.nac"', b'"-"')
    several = nacli("info", "--json", "x.nac", "x.wav", "cut.nac")
    assert several.returncode == 5
    assert [row["file"] for row in json.loads(several.stdout)] == ["x.nac", "cut.nac"]
    assert_failed(nacli("info", "--json", "x.wav"), 5, "x.wav")


def test_control_characters_in_tags_are_not_printed(tmp_path: Path, nacli: Run) -> None:
    with soundfile.SoundFile(tmp_path / "x.flac", "w", RATE, 1) as file:
        file.title = "\x1b[2J\nfake line"
        file.write(tone(0.1))
    nacli("encode", "x.flac")
    text = nacli("info", "x.nac").stdout.decode()
    assert "title=" in text
    assert "\x1b" not in text
    assert "\nfake" not in text


def shipped() -> bool:
    try:
        return default_path().exists()
    except BadCheckpoint:
        return False


def test_the_shipped_model_encodes_and_decodes(tmp_path: Path) -> None:
    assert shipped(), "there is no checkpoint in models/"
    write_tone(tmp_path / "x.wav")
    for arguments in (["encode", "x.wav", "--bitrate", "12"], ["decode", "x.nac", "-o", "y.wav"]):
        done = run(REAL, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    original, _ = soundfile.read(tmp_path / "x.wav")
    decoded, rate = soundfile.read(tmp_path / "y.wav")
    assert (decoded.shape, rate) == (original.shape, RATE)
    assert np.corrcoef(original[RATE // 2 :], decoded[RATE // 2 :])[0, 1] > 0.7


def test_a_wrong_model_has_its_code(tmp_path: Path) -> None:
    assert shipped(), "there is no checkpoint in models/"
    write_tone(tmp_path / "x.wav", 0.2)
    run(FAKE, "encode", "x.wav", cwd=tmp_path)
    assert_failed(run(REAL, "decode", "x.nac", "-o", "y.wav", cwd=tmp_path), 8, "x.nac", "model")
    missing = run(
        REAL, "decode", "x.nac", "-o", "y.wav", "--model", "none.safetensors", cwd=tmp_path
    )
    assert_failed(missing, 12, "none.safetensors")
    assert files(tmp_path) == {"x.wav", "x.nac"}
