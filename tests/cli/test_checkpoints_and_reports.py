"""Checkpoints and reports: errors before the work, and the content of a report."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from in_process import nacli, names, write
from nacli.checkpoint import load_checkpoint
from nacli.errors import BadCheckpoint, WriteFailed
from nacli.files.outputs import check_output


def test_the_error_for_an_incomplete_checkpoint_names_the_missing_part(tmp_path: Path) -> None:
    weights = tmp_path / "x.safetensors"
    with pytest.raises(BadCheckpoint) as raised:
        load_checkpoint(weights)
    assert str(raised.value) == f"{weights}: No such file or directory"
    weights.write_bytes(b"weights")
    with pytest.raises(BadCheckpoint) as raised:
        load_checkpoint(weights)
    assert str(raised.value) == f"{weights}: x.json beside it: No such file or directory"
    for content in (b"{}", b"\xff", b"[]", b'{"model": 1}'):
        weights.with_suffix(".json").write_bytes(content)
        with pytest.raises(BadCheckpoint, match=r"x\.safetensors: "):
            load_checkpoint(weights)
    with pytest.raises(BadCheckpoint, match=r"x\.json: a checkpoint is named by its \.safetensors"):
        load_checkpoint(weights.with_suffix(".json"))


@pytest.mark.parametrize("report", ["missing/r.json", "a.txt/r.json", "folder"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    here: Path, report: str
) -> None:
    write("a.wav")
    (here / "a.txt").touch()
    (here / "folder").mkdir()
    done = nacli("encode", "a.wav", "--report", report)
    assert done.exit_code == 11
    assert done.stderr.startswith(f"nacli: {report}: ")
    assert names(here) == {"a.wav", "a.txt", "folder"}
    assert nacli("bench", "a.wav", "--save", report).exit_code == 11


@pytest.mark.parametrize("where", [["--output-dir", "new"], ["-o", "new/"]])
@pytest.mark.parametrize("report", ["new/r.json", "new/reports/r.json"])
def test_a_report_may_lie_in_a_folder_of_outputs_that_is_made(
    here: Path, where: list[str], report: str
) -> None:
    write("a.wav")
    done = nacli("encode", "a.wav", *where, "--report", report)
    assert done.exit_code == 0, done.stderr
    assert json.loads((here / report).read_text())["done"] == 1
    assert (here / "new" / "a.nac").exists()
    again = nacli("encode", "-f", "a.wav", *where, "--report", report)
    assert again.exit_code == 0


@pytest.mark.parametrize("report", ["newer/r.json", "new/../other/r.json", "a.wav/new/r.json"])
def test_a_report_in_another_missing_folder_is_refused(here: Path, report: str) -> None:
    write("a.wav")
    done = nacli("encode", "a.wav", "--output-dir", "new", "--report", report)
    assert (done.exit_code, done.stderr.startswith(f"nacli: {report}: ")) == (11, True)
    assert names(here) == {"a.wav"}


def test_a_report_is_no_output_in_a_folder_that_is_made(here: Path) -> None:
    write("a.wav")
    done = nacli("encode", "a.wav", "--output-dir", "new", "--report", "new/a.nac")
    assert (done.exit_code, "is an input or output itself" in done.stderr) == (2, True)
    assert names(here) == {"a.wav"}


def test_a_folder_without_permission_is_noticed_before_the_work(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may be root's
    with pytest.raises(WriteFailed, match=r"x\.json: Permission denied"):
        check_output("x.json")
    check_output("/dev/null")


def test_options_are_in_the_report(here: Path) -> None:
    write("a.wav")
    nacli("encode", "a.wav", "--report", "r.json", "--bitrate", "6k", "--best", "--title", "x")
    used = json.loads((here / "r.json").read_text())["options"]
    assert (used["bitrate"], used["effort"], used["tags"]) == (6.0, 2, ["TITLE=x"])
    assert "settings" not in used and "sample_format" not in used
