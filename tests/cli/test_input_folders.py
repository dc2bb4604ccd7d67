"""Folders as inputs: their trees are mirrored, and usage errors come before any work."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from in_process import nacli, tree, write_old_tone
from nacli.cli.planning import Job, Naming, plan
from nacli.files.names import AUDIO_EXTENSIONS


def planned(*sources: str, **options: Any) -> list[Job]:
    given: dict[str, Any] = {"output": None, "output_dir": None, "recursive": True, **options}
    return plan(sources, extensions=AUDIO_EXTENSIONS, naming=Naming(".nac"), **given).jobs


def test_a_tree_is_mirrored(here: Path) -> None:
    for name in ("in/b.WAV", "in/a/c.flac", "in/a/notes.txt", "in/.nacli-x.part", "one.xyz"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    assert planned("in") == [Job("in/b.WAV", "in/b.nac"), Job("in/a/c.flac", "in/a/c.nac")]
    mirrored = [
        ("in/b.WAV", "out/b.nac"),
        ("in/a/c.flac", "out/a/c.nac"),
        ("one.xyz", "out/one.nac"),
    ]
    assert planned("in", "one.xyz", output_dir="out") == [Job(*pair) for pair in mirrored]
    (here / "out").mkdir()
    assert planned("in/", "one.xyz", output="out") == [
        Job(os.path.normpath(source), target) for source, target in mirrored
    ]


def test_links_and_pipes_in_a_tree(here: Path) -> None:
    (here / "in" / "deep").mkdir(parents=True)
    (here / "in" / "deep" / "loop").symlink_to(here / "in")
    (here / "in" / "linked.wav").symlink_to(write_old_tone(here / "x.wav"))
    (here / "in" / "nowhere.wav").symlink_to("gone")
    os.mkfifo(here / "in" / "pipe.wav")
    (here / "in" / "self.wav").symlink_to("self.wav")
    assert [job.source for job in planned("in")] == [
        "in/linked.wav",
        "in/nowhere.wav",
        "in/self.wav",
    ]


def test_a_folder_that_cannot_be_read_is_a_failure(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_old_tone(here / "in" / "good" / "x.wav")
    (here / "in" / "closed").mkdir()
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    done = nacli("encode", "-r", "in", "--report", "r.json")
    assert done.exit_code == 3
    assert "nacli: in/closed: Permission denied" in done.stderr
    assert "1 done, 0 skipped, 1 failed" in done.stderr
    assert json.loads((here / "r.json").read_text())["failed"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["in"],
        ["-r", "in", "-o", "out"],
        ["-r", "in", "-o", ".", "--output-dir", "out"],
        ["-r", "in", "--output-dir", "in/x.wav"],
        ["in/x.wav", "-o", "x.wav/"],
        ["-f", "in/x.wav", "in/x.nac"],
        ["-f", "in/x.wav", "--report", "in/x.wav"],
        ["-f", "in/x.wav", "--report", "in/x.nac"],
        ["-", "-r", "in", "--output-dir", "out"],
        ["in/x.wav", "-j", "-1"],
    ],
)
def test_usage_errors_before_anything_runs(here: Path, arguments: list[str]) -> None:
    for name in ("in/x.wav", "other/x.wav", "x.wav"):
        write_old_tone(here / name)
    write_old_tone(here / "out.nac" / "x.wav").rename(here / "out.nac" / "x.nac")
    before = tree(here)
    done = nacli("encode", *arguments)
    assert done.exit_code == 2, done.stderr
    assert "Error: " in done.stderr
    assert tree(here) == before
