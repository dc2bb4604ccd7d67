"""Processes of a training end with the one that started them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    code = f"""
import os, sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from training.loop.parallel import launch

def work(rank):
    (Path({str(tmp_path)!r}) / str(rank)).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    launch(work, 2)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, script])
    names = [tmp_path / "0", tmp_path / "1"]
    _wait(lambda: all(name.exists() and name.read_text() for name in names))
    workers = [int(name.read_text()) for name in names]
    parent.kill()
    parent.wait()
    _wait(lambda: not any(_runs(worker) for worker in workers))


def _runs(process: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait(done: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "took too long"
        time.sleep(0.05)
