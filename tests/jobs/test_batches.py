"""Crowds of files: planning, one file's record, pools of processes, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from nacli.audio import AudioWriter
from nacli.cli import main
from nacli.cli.jobs import Job, Naming, plan
from nacli.encoder import stream as encoder
from nacli.entropy import ChannelCodes
from nacli.files import temporary_files
from nacli.files.inputs import read_bytes_blocks
from nacli.files.names import AUDIO_EXTENSIONS
from nacli.files.outputs import atomic_output
from nacli.files.signals import exit_on_signals
from nacli.files.temporary_files import FOREIGN_SECONDS, remove_stale
from nacli.format import Header, Packet, pack_header, pack_packet
from nacli.inspection.info import read_info
from nacli.jobs import verify
from nacli.jobs.task import DecodeOptions, EncodeOptions, Record, run_task

FAKE = [sys.executable, str(Path(__file__).parents[1] / "support" / "fake_model.py")]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).parents[1] / "support"),
    "OMP_NUM_THREADS": "1",
}
RATE = 16_000
OLD = 1_000_000_000
"""A time of modification that no new file has."""


def write_tone(path: Path, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = 0.3 * np.sin(0.1 * np.arange(round(seconds * RATE)))
    soundfile.write(path, pcm, RATE, subtype="PCM_16")
    os.utime(path, (OLD, OLD))
    return path


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def nacli(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


# Planning.


def planned(*sources: str, **options: Any) -> list[Job]:
    given: dict[str, Any] = {"output": None, "output_dir": None, "recursive": True, **options}
    return plan(sources, wanted=AUDIO_EXTENSIONS, naming=Naming(".nac"), **given).jobs


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
    (here / "in" / "linked.wav").symlink_to(write_tone(here / "x.wav"))
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
    write_tone(here / "in" / "good" / "x.wav")
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
        write_tone(here / name)
    write_tone(here / "out.nac" / "x.wav").rename(here / "out.nac" / "x.nac")
    before = tree(here)
    done = nacli("encode", *arguments)
    assert done.exit_code == 2, done.stderr
    assert "Error: " in done.stderr
    assert tree(here) == before


# One file.


def outcome(record: Record) -> tuple[str, int]:
    return record["status"], record["exit_code"]


def test_a_record_says_what_became_of_a_file(here: Path) -> None:
    source, target = str(write_tone(here / "x.wav")), str(here / "new" / "x.nac")
    record = run_task(EncodeOptions(make_folders=True), source, target)
    size = os.path.getsize(target)
    assert outcome(record) == ("done", 0)
    assert (record["source"], record["target"], record["error"]) == (source, target, None)
    assert (record["seconds"], record["bytes_in"]) == (0.5, 44 + RATE)
    audio = read_info(target).audio_bytes
    assert (record["bytes_out"], record["kbps"]) == (size, round(audio * 8 / 500, 3))
    assert record["nac_bytes"] == size
    assert record["wall_seconds"] > 0
    assert os.stat(target).st_mtime == OLD
    assert outcome(run_task(EncodeOptions(), source, target)) == ("failed", 10)
    again = run_task(EncodeOptions(skip_existing=True, force=True), source, target)
    assert outcome(again) == ("skipped", 0)
    back = run_task(DecodeOptions(), target, str(here / "y.flac"))
    assert (outcome(back), back["bytes_in"]) == (("done", 0), size)
    assert (back["nac_bytes"], back["kbps"]) == (size, record["kbps"])
    assert (back["seconds"], back["bytes_out"]) == (0.5, os.path.getsize(here / "y.flac"))
    assert os.stat(here / "y.flac").st_mtime == OLD
    missing = run_task(DecodeOptions(), "missing.nac", "z.wav")
    assert outcome(missing) == ("failed", 3)
    assert missing["error"] == "missing.nac: No such file or directory"
    assert json.loads(json.dumps(missing)) == missing


def test_a_surprise_is_a_record_too(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("nacli.jobs.convert.encode_file", surprise)
    record = run_task(EncodeOptions(), "x.wav", "x.nac")
    assert outcome(record) == ("failed", 1)
    assert record["error"] == "x.wav: ZeroDivisionError: by nothing"


def test_inputs_go_when_their_output_has_been_read_back(here: Path) -> None:
    write_tone(here / "x.wav")
    assert outcome(run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")) == ("done", 0)
    assert tree(here) == {"x.nac"}
    for name in ("x.flac", "x.ogg", "x.wav"):
        (here / "y.nac").write_bytes((here / "x.nac").read_bytes())
        assert outcome(run_task(DecodeOptions(delete_input=True), "y.nac", name)) == ("done", 0)
        assert soundfile.info(name).frames == RATE // 2
    assert tree(here) == {"x.nac", "x.flac", "x.ogg", "x.wav"}


def test_empty_recordings_go_too(here: Path) -> None:
    write_tone(here / "x.wav", 0)
    assert outcome(run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")) == ("done", 0)
    for name in ("x.flac", "x.wav"):
        (here / "y.nac").write_bytes((here / "x.nac").read_bytes())
        assert outcome(run_task(DecodeOptions(delete_input=True), "y.nac", name)) == ("done", 0)
    assert tree(here) == {"x.nac", "x.flac", "x.wav"}


def test_inputs_stay_when_the_output_reads_back_wrong(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tone(here / "x.wav")
    for at in (30, 80, -1):  # header, a packet, the end record

        def rotten(path: str, at: int = at) -> list[bytes]:
            data = bytearray(b"".join(read_bytes_blocks(path)))
            data[at] ^= 1
            return [bytes(data)]

        monkeypatch.setattr(verify, "read_bytes_blocks", rotten)
        record = run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")
        assert outcome(record) == ("failed", 13), record
        assert (record["error"] or "").startswith("x.nac: ")
        assert tree(here) == {"x.wav"}
    monkeypatch.undo()


def test_inputs_stay_when_the_decoded_file_is_short(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = AudioWriter.write
    write_tone(here / "x.wav")
    run_task(EncodeOptions(), "x.wav", "x.nac")
    monkeypatch.setattr(AudioWriter, "write", lambda self, pcm: write(self, pcm[: len(pcm) // 2]))
    record = run_task(DecodeOptions(delete_input=True), "x.nac", "y.wav")
    assert outcome(record) == ("failed", 11)
    assert tree(here) == {"x.wav", "x.nac"}


def test_inputs_that_change_meanwhile_stay(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tone(here / "x.wav")
    check = verify.verify_file

    def touching(*arguments: Any) -> None:
        check(*arguments)
        os.utime("x.wav")

    monkeypatch.setattr("nacli.jobs.convert.verify_file", touching)
    record = run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")
    assert outcome(record) == ("failed", 1)
    assert "changed meanwhile" in (record["error"] or "")
    assert tree(here) == {"x.wav", "x.nac"}


@pytest.mark.parametrize("arguments", [["-", "-o", "x.nac"], ["x.wav", "-o", "-"]])
def test_only_files_are_deleted(here: Path, arguments: list[str]) -> None:
    write_tone(here / "x.wav")
    done = nacli("encode", "--delete-input", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "only files" in done.stderr
    options = EncodeOptions(delete_input=True, force=True)
    assert outcome(run_task(options, "x.wav", "/dev/null")) == ("failed", 1)
    assert tree(here) == {"x.wav"}
    assert os.path.exists("/dev/null")


# Verification while encoding.


def test_verifying_changes_nothing(here: Path) -> None:
    write_tone(here / "x.wav", 3.3)
    for name, checked in (("plain.nac", False), ("checked.nac", True)):
        options = EncodeOptions(verify=checked, force=True)
        assert outcome(run_task(options, "x.wav", name)) == ("done", 0)
    assert (here / "plain.nac").read_bytes() == (here / "checked.nac").read_bytes()
    piped = nacli("encode", "-V", "x.wav", "-o", "-")
    plain = nacli("encode", "x.wav", "-o", "-")
    assert piped.stdout_bytes == plain.stdout_bytes


Break = Callable[[pytest.MonkeyPatch, Any], None]


def wrong_codes(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    """A payload that is sound, and of other codes."""
    compress = model.entropy.compress

    def other(coded: list[ChannelCodes]) -> bytes:
        return compress([ChannelCodes(c.gains, c.codes ^ 1, c.counts) for c in coded])

    monkeypatch.setattr(model.entropy, "compress", other)


def flipped_bit(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    def pack(packet: Packet, frames_per_packet: int) -> bytes:
        data = bytearray(pack_packet(packet, frames_per_packet))
        data[-8] ^= 16
        return bytes(data)

    monkeypatch.setattr(encoder, "pack_packet", pack)


def lost_packet(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    def pack(packet: Packet, frames_per_packet: int) -> bytes:
        return b"" if packet.sequence == 1 else pack_packet(packet, frames_per_packet)

    monkeypatch.setattr(encoder, "pack_packet", pack)


def other_header(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    def pack(header: Header) -> bytes:
        return pack_header(replace(header, tags=("TITLE=another",)))

    monkeypatch.setattr(encoder, "pack_header", pack)


def no_end(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setattr(encoder, "pack_end", lambda end: b"")


@pytest.mark.parametrize("damage", [wrong_codes, flipped_bit, lost_packet, other_header, no_end])
def test_verifying_finds_what_was_not_meant(
    here: Path, monkeypatch: pytest.MonkeyPatch, model: Any, damage: Break
) -> None:
    write_tone(here / "x.wav", 3)
    damage(monkeypatch, model)
    assert outcome(run_task(EncodeOptions(), "x.wav", "unnoticed.nac")) == ("done", 0)
    done = nacli("encode", "-V", "x.wav")
    assert done.exit_code == 13
    assert done.stderr.startswith("nacli: x.nac: ")
    assert tree(here) == {"x.wav", "unnoticed.nac"}


# Partial files.


def test_partials_of_the_dead_are_removed_and_no_others(here: Path) -> None:
    host = socket.gethostname()
    stale, foreign, lone = (
        here / name
        for name in (
            f".nacli-{host}-0123456789abcdef.part",
            ".nacli-elsewhere-0123456789abcdef.part",
            ".nacli-0123456789abcdef.part",
        )
    )
    for path in (stale, foreign, lone, here / ".nacli-notes.part"):
        path.touch()
    with atomic_output("x.nac") as output:
        [live] = tree(here) - {stale.name, foreign.name, lone.name, ".nacli-notes.part"}
        assert live.startswith(f".nacli-{host}-")
        os.utime(live, (OLD, OLD))
        remove_stale(".")
        assert tree(here) == {live, foreign.name, lone.name, ".nacli-notes.part"}
        output.write(b"whole")
    assert (here / "x.nac").read_bytes() == b"whole"
    for age, left in ((FOREIGN_SECONDS - 60, 4), (FOREIGN_SECONDS + 60, 2)):
        for path in (foreign, lone):
            os.utime(path, (time.time() - age,) * 2)
        remove_stale(".")
        assert len(tree(here)) == left
    assert tree(here) == {"x.nac", ".nacli-notes.part"}


def test_a_partial_that_is_taken_for_stale_gets_another_name(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its creation and its lock a partial looks like one of the dead."""
    taken: list[str] = []
    lock = temporary_files._lock

    def cleaned_before(descriptor: int, otherwise: bool) -> bool:
        if not taken:
            taken.extend(tree(here))
            os.unlink(taken[0])
        return lock(descriptor, otherwise)

    monkeypatch.setattr(temporary_files, "_lock", cleaned_before)
    with atomic_output("x.nac") as output:
        output.write(b"whole")
    assert taken
    assert tree(here) == {"x.nac"}


@pytest.mark.parametrize("force", [False, True])
def test_file_and_name_are_put_on_the_disk(
    here: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append((stat.S_ISDIR(os.fstat(fd).st_mode), tree(here)))
    )
    with atomic_output("x.nac", force) as output:
        output.write(b"whole")
    (first, before), (second, after) = synced
    assert (first, second) == (False, True)
    assert "x.nac" not in before
    assert "x.nac" in after


# Batches in one process.


def test_a_batch_goes_on_after_a_failure(here: Path) -> None:
    for name in ("in/a.wav", "in/deep/b.wav", "in/z.flac"):
        write_tone(here / name)
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
    write_tone(here / "x.wav")
    assert nacli("encode", "x.wav").stderr.count("\n") == 1


# Batches in several processes.


def test_what_nohup_ignores_stays_ignored(here: Path) -> None:
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
        write_tone(folder / "a.wav")
        self.whole = write_tone(folder / "whole.wav", 10).read_bytes()
        (folder / "whole.wav").unlink()
        for name in ("b.wav", "c.wav"):
            os.mkfifo(folder / name)
        arguments = ["-j", "2", "--output-dir", "out", "--report", "r.json"]
        self.process = start("encode", "a.wav", "b.wav", "c.wav", *arguments, cwd=folder)
        self.pipes = [open(folder / name, "wb", buffering=0) for name in ("b.wav", "c.wav")]
        for pipe in self.pipes:
            pipe.write(self.whole[:60_000])
        wait_until(lambda: len(self.temporary_files()) == 2 and self.done())
        self.workers = {
            int(pid)
            for pid in self._children()
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        }

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


def test_processes_give_what_one_gives(tmp_path: Path) -> None:
    for number in range(5):
        write_tone(tmp_path / "in" / f"{number}.wav", 0.2 + number / 3)
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


def test_a_worker_that_dies_costs_one_file(slow: Slow) -> None:
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
        write_tone(slow.folder / name)
    arguments = ["--output-dir", "out", "--skip-existing", "--silent"]
    again = start("encode", "a.wav", "b.wav", "c.wav", *arguments, cwd=slow.folder)
    assert again.communicate() == (b"", b"")
    assert tree(slow.folder / "out") == {"a.nac", "b.nac", "c.nac"}
