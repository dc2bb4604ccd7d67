"""Description of the machine and of the software versions of a benchmark."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nacli import __version__
from nacli.bench.peers import Peer
from nacli.bench.quality import Metric

PACKAGES = {"pesq": "pesq", "pystoi": "pystoi", "visqol": "visqol-python"}
"""Name of the distribution of each package that a metric imports."""


def describe(model: str, metrics: Iterable[Metric], peers: Iterable[Peer]) -> dict[str, str]:
    """Return the names and versions of everything that influences the figures. `model` is the
    digest of the model."""
    packages = [PACKAGES[m.package] for m in metrics if m.package is not None]
    return {
        "system": platform.platform(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "nacli": __version__,
        "model": model,
        **{name: _version(name) for name in dict.fromkeys(["torch", "numpy", "soxr", *packages])},
        **{peer.name: _tool_version(peer) for peer in peers},
    }


def _processor() -> str:
    with suppress(OSError, IndexError):
        text = Path("/proc/cpuinfo").read_text()
        return text.split("model name")[1].partition(":")[2].split("\n")[0].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _tool_version(peer: Peer) -> str:
    if not peer.version:
        return peer.encode
    done = subprocess.run(peer.version, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]
