"""The command warns of sound that was not read, keeps the input, and reports damage."""

from __future__ import annotations

import json
from pathlib import Path

from audio_bytes import changed, flipped, made
from commands import Run, files, write_tone


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
