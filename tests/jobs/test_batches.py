"""Batches: failures, reports, worker processes, signals, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from commands import ENVIRONMENT, FAKE
from in_process import nacli, tree, write_old_tone
from nacli.files.signals import exit_on_signals

# Batches in one process.


def test_a_batch_goes_on_after_a_failure(here: Path) -> None:
    for name in ("in/a.wav", "in/deep/b.wav", "in/z.flac"):
        write_old_tone(here / name)
    (here / "in" / "m.wav").write_text("no audio")
    soundfile.write(here / "in" / "n.wav", np.zeros(100), 4_000)
    done = nacli("encode", "-r", "in", "--output-dir", "out/new", "--report", "r.json")
    assert done.exit_code == 3
    assert tree(here / "out") == {"new/a.nac", "new/deep/b.nac", "new/z.nac"}
    *_, last = done.stderr.splitlines()
    size = sum(path.stat().st_size for path in (here / "out").rglob("*.nac"))
    assert last.startswith("3 done, 0 skipped, 2 failed: 1.5 s of audio, ")
    assert f" to {size} bytes, " in last
    report = json.loads((here / "r.json").read_text())
    assert (report["command"], report["interrupted"]) == ("encode", False)
    assert (report["files"], report["done"], report["failed"]) == (5, 3, 2)
    assert (report["seconds"], report["bytes_out"]) == (1.5, size)
    assert [row["exit_code"] for row in report["results"]] == [0, 3, 4, 0, 0]
    (here / "out" / "new" / "z.nac").unlink()
    again = nacli("encode", "-r", "in", "--output-dir", "out/new", "--skip-existing")
    assert again.exit_code == 3
    assert again.stderr.splitlines()[-1].startswith("1 done, 2 skipped, 2 failed: ")
    refused = nacli("encode", "-r", "in", "--report", "r.json")
    assert (refused.exit_code, refused.stderr) == (10, "nacli: r.json exists (-f replaces it)\n")
    back = nacli("decode", "-r", "out", "--output-dir", "back", "--delete-input", "--silent")
    assert (back.exit_code, back.stderr) == (0, "")
    assert tree(here / "back") == {"new/a.wav", "new/deep/b.wav", "new/z.wav"}
    assert tree(here / "out") == set()


def test_a_folder_without_audio_is_an_empty_batch(here: Path) -> None:
    (here / "in").mkdir()
    done = nacli("encode", "-r", "in", "-j", "0")
    assert done.exit_code == 0
    assert done.stderr.startswith("0 done, 0 skipped, 0 failed: ")


def test_one_file_has_no_summary(here: Path) -> None:
    write_old_tone(here / "x.wav")
    assert nacli("encode", "x.wav").stderr.count("\n") == 1


# Batches in several processes.


def test_signals_that_nohup_ignores_stay_ignored(here: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    exit_on_signals()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_IGN, signal.SIG_DFL)


def start(*arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    """The command with the fake model, as the leader of a process group."""
    return subprocess.Popen(
        [*FAKE, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Slow:
    """A batch of two processes of which each is in the middle of a file, and one file is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_old_tone(folder / "a.wav")
        self.whole = write_old_tone(folder / "whole.wav", 10).read_bytes()
        (folder / "whole.wav").unlink()
        for name in ("b.wav", "c.wav"):
            os.mkfifo(folder / name)
        arguments = ["-j", "2", "--output-dir", "out", "--report", "r.json"]
        self.process = start("encode", "a.wav", "b.wav", "c.wav", *arguments, cwd=folder)
        self.pipes = [open(folder / name, "wb", buffering=0) for name in ("b.wav", "c.wav")]
        for pipe in self.pipes:
            pipe.write(self.whole[:60_000])
        wait_until(lambda: len(self.temporary_files()) == 2 and self.done())
        self.workers = set(map(int, self._children()))

    def _children(self) -> list[str]:
        pid = self.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def temporary_files(self) -> set[str]:
        out = self.folder / "out"
        return {name for name in tree(out) if ".part" in name} if out.exists() else set()

    def done(self) -> bool:
        return (self.folder / "out" / "a.nac").exists()

    def close(self) -> None:
        for pipe in self.pipes:
            pipe.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    batch = Slow(tmp_path)
    yield batch
    batch.close()


def alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_several_workers_give_the_outputs_and_records_of_one(tmp_path: Path) -> None:
    for number in range(5):
        write_old_tone(tmp_path / "in" / f"{number}.wav", 0.2 + number / 3)
    (tmp_path / "in" / "2.wav").write_text("no audio")
    outputs, reports = [], []
    for jobs in ("1", "2"):
        arguments = ["-r", "in", "--output-dir", jobs, "-j", jobs, "--report", f"{jobs}.json"]
        process = start("encode", *arguments, cwd=tmp_path)
        _, said = process.communicate()
        assert process.returncode == 3, said
        assert said.splitlines()[-1].startswith(b"4 done, 0 skipped, 1 failed: ")
        outputs.append({p.name: p.read_bytes() for p in (tmp_path / jobs).iterdir()})
        reports.append(json.loads((tmp_path / f"{jobs}.json").read_text())["results"])
    assert len(outputs[0]) == 4
    assert outputs[0] == outputs[1]
    for one, two in zip(*reports, strict=True):
        assert two == {**one, "target": two["target"], "wall_seconds": two["wall_seconds"]}


@pytest.mark.parametrize(
    ("number", "code", "group"),
    [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False), (signal.SIGHUP, 129, True)],
)
def test_a_signal_ends_all_workers(slow: Slow, number: int, code: int, group: bool) -> None:
    (os.killpg if group else os.kill)(slow.process.pid, number)
    _, said = slow.process.communicate()
    assert slow.process.returncode == code
    assert said.count(b"\n") == 1, said
    assert len(slow.workers) == 2
    assert not any(map(alive, slow.workers))
    assert tree(slow.folder / "out") == {"a.nac"}
    report = json.loads((slow.folder / "r.json").read_text())
    assert report["interrupted"]
    assert [row["source"] for row in report["results"]] == ["a.wav"]


def test_only_the_file_of_a_dead_worker_fails(slow: Slow) -> None:
    victim = min(slow.workers)
    os.kill(victim, signal.SIGKILL)
    for pipe in slow.pipes:  # to the one that died too: an error that matters to nobody
        try:
            pipe.write(slow.whole[60_000:])
        except BrokenPipeError:
            continue
        finally:
            pipe.close()
    _, said = slow.process.communicate()
    assert slow.process.returncode == 1
    assert b"died (signal 9)" in said
    assert b"2 done, 0 skipped, 1 failed" in said
    assert len(tree(slow.folder / "out")) == 2
    assert not slow.temporary_files()


def test_workers_end_when_their_parent_is_killed(slow: Slow) -> None:
    slow.process.kill()
    slow.process.communicate()
    wait_until(lambda: not any(map(alive, slow.workers)))
    assert tree(slow.folder / "out") == {"a.nac"}


def test_a_rerun_finishes_what_was_killed(slow: Slow) -> None:
    os.killpg(slow.process.pid, signal.SIGKILL)
    slow.process.communicate()
    wait_until(lambda: not any(map(alive, slow.workers)))
    assert len(slow.temporary_files()) == 2
    assert tree(slow.folder / "out") == {"a.nac", *slow.temporary_files()}
    for name in ("b.wav", "c.wav"):
        (slow.folder / name).unlink()
        write_old_tone(slow.folder / name)
    arguments = ["--output-dir", "out", "--skip-existing", "--silent"]
    again = start("encode", "a.wav", "b.wav", "c.wav", *arguments, cwd=slow.folder)
    assert again.communicate() == (b"", b"")
    assert tree(slow.folder / "out") == {"a.nac", "b.nac", "c.nac"}
