"""Measurement of wall time, CPU time and peak memory, and a calibration of CPU time."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nacli.bench import launcher
from nacli.errors import NacliError


@dataclass
class Cost:
    """Wall time and CPU time of all threads in seconds, and peak resident memory in bytes."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0


@contextmanager
def costing() -> Iterator[Cost]:
    """Measure the body of a `with` statement, in this process. The peak memory is that of the body
    on Linux, where it can be reset, else that of the whole process."""
    cost = Cost()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    began, cpu = time.perf_counter(), time.process_time()
    yield cost
    cost.wall, cost.cpu = time.perf_counter() - began, time.process_time() - cpu
    cost.peak = _peak()


def _peak() -> int:
    """Return the peak resident memory of this process in bytes."""
    with suppress(OSError, IndexError):
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run_command(command: Sequence[str], folder: Path, timeout: float) -> Cost:
    """Run a command without a shell and measure it.

    The time includes the start of the command. The peak memory is at least that of the small
    process that starts it.

    Args:
        command: program and arguments.
        folder: folder for a temporary file.
        timeout: seconds after which the command is stopped.

    Raises:
        NacliError: the command failed; the message contains its last line.
    """
    cost_file = folder / "cost.json"
    start = [sys.executable, "-I", "-S", launcher.__file__, str(cost_file), str(timeout)]
    done = subprocess.run([*start, *command], capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise NacliError(f"{command[0]}: {lines[-1] if lines else f'status {done.returncode}'}")
    return Cost(**json.loads(cost_file.read_text()))


def calibrate() -> float:
    """Return the CPU seconds that this machine now needs for a fixed amount of work: FFTs, small
    matrix products and element-wise functions."""
    return statistics.median(_calibration_round() for _ in range(3))


def _calibration_round() -> float:
    signal = np.sin(np.arange(64 * 1024, dtype=np.float32)).reshape(64, 1024)
    matrix = signal[:, :64] / 64
    began = time.process_time()
    for _ in range(20):
        np.fft.irfft(np.fft.rfft(signal))
        np.tanh(signal)
        for _ in range(20):
            matrix @ matrix
    return time.process_time() - began
