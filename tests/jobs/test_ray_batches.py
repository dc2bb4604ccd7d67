"""Batches on Ray: a local cluster of two CPUs, whose processes are killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import nacli.cli
from nacli.cli import ray_batch
from nacli.cli.planning import Job
from nacli.files.signals import ENDING
from nacli.jobs import resources
from nacli.jobs.options import Options
from nacli.jobs.progress import Progress

RATE = 16_000
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # else Ray leaves one in the home folder
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster whose workers can import the package and this module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.delenv("OMP_NUM_THREADS", raising=False)  # Ray sets it, to the CPUs of a task
        ray = pytest.importorskip("ray")
        pytest.importorskip("ray.data")
        handlers = {number: signal.getsignal(number) for number in ENDING}
        context = ray.init(num_cpus=2, include_dashboard=False)
        yield context.address_info["address"]
        ray.shutdown()
        resources.load_model.cache_clear()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_tree_is_encoded_and_decoded(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of `nacli` itself; a bad file fails alone, and a rerun finishes the rest."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(1).normal(0, 0.1, RATE // 2)
    for name in (b"in/a.wav", b"in/below/b.flac", b"in/below/caf\xe9.wav"):
        os.makedirs(os.path.dirname(name), exist_ok=True)
        soundfile.write(name, noise, RATE)
    Path("in/bad.wav").write_text("no audio")
    given = [sys.executable, "-m", "nacli.cli.ray_batch", "encode", "in", "--output-dir", "out"]
    environment = {**os.environ, "RAY_ADDRESS": cluster}
    first = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 3, first.stderr
    assert f"nacli: {tmp_path}/in/bad.wav: " in first.stderr
    assert "3 done, 0 skipped, 1 failed" in first.stderr
    (tmp_path / "out" / "a.nac").unlink()

    for way, source, target in (("encode", "in", "out"), ("decode", "out", "again")):
        batch = [way, source, "--output-dir", target, "--report", f"{way}.json"]
        plain = [way, "-r", source, "--output-dir", f"plain-{target}", "--report", f"plain-{way}"]
        code = CliRunner().invoke(ray_batch.main, batch).exit_code
        assert code == CliRunner().invoke(nacli.cli.main, plain).exit_code
        assert contents(Path(target)) == contents(Path(f"plain-{target}"))
        assert len(contents(Path(target))) == 3
        reports = [json.loads(Path(name).read_text()) for name in (f"{way}.json", f"plain-{way}")]
        assert reports[0].keys() == reports[1].keys()
        statuses = [record["status"] for record in reports[0]["results"]]
        assert statuses == (
            ["done", "failed", "skipped", "skipped"] if way == "encode" else ["done"] * 3
        )


@dataclass(frozen=True, kw_only=True)
class Deadly(Options):
    """Count in the input how often it was begun; kill the process as long as it has lives left."""

    COMMAND = "deadly"
    lives: dict[str, int]

    def convert(self, source: str, target: str, on_progress: Any, on_gap: Any) -> Progress:
        with open(source, "a") as begun:
            begun.write("x")
        if os.path.getsize(source) <= self.lives.get(os.path.basename(source), 0):
            os.kill(os.getpid(), signal.SIGKILL)
        Path(target).write_text(os.environ["OMP_NUM_THREADS"])
        return Progress(RATE, None)


def test_ray_retries_a_killed_process(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until that has happened too often: then the file has failed, and the others are done."""
    monkeypatch.setattr(ray_batch, "RETRIES", 1)
    jobs = [Job(str(tmp_path / name), str(tmp_path / f"{name}.out")) for name in "abcd"]
    records = dict(ray_batch.run_on_ray(jobs, Deadly(lives={"b": 1, "c": 99}), cpus=1))
    assert [records[n]["status"] for n in range(4)] == ["done", "done", "failed", "done"]
    assert records[2]["exit_code"] == 1
    assert (records[2]["error"] or "").startswith(f"{tmp_path / 'c'}: ")
    outputs = {path.stem: path.read_text() for path in tmp_path.glob("*.out")}
    assert outputs == {"a": "1", "b": "1", "d": "1"}
    assert [len((tmp_path / name).read_text()) for name in "abcd"] == [1, 2, 2, 1]


def test_without_ray_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(ray_batch, "load_model", lambda path: None)
    arguments = ["encode", str(tmp_path), "--output-dir", str(tmp_path)]
    done = CliRunner().invoke(ray_batch.main, arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "pip install 'nacli[ray]'" in done.stderr
