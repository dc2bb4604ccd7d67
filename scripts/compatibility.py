"""Check that payloads decode alike under the oldest and the newest supported Python and NumPy.

    python scripts/compatibility.py

Each pair gets a virtual environment under build/compatibility with the libraries of entropy coding,
without torch. There the golden files are decoded to codes, which must match their end
records, and the codes are encoded again, which must give the same bytes. The supported versions
come from `pyproject.toml`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nacli.checkpoint import Model

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "compatibility"
LIBRARIES = ("click", "constriction", "safetensors", "soundfile", "soxr")
NEWEST_MINOR = 20
"""Newest Python 3.x to search for."""


def requirement(name: str) -> str:
    """Return the requirement of a library in `pyproject.toml`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return next(line for line in project["dependencies"] if line.startswith(name))


def pythons() -> Iterator[str]:
    """Yield the supported interpreters on this machine, the newest first."""
    versions = Path.home() / ".pyenv" / "versions"
    for minor in range(NEWEST_MINOR, 10, -1):
        found = shutil.which(f"python3.{minor}")
        for path in (found, *sorted(versions.glob(f"3.{minor}.*/bin/python3"), reverse=True)):
            if path and not subprocess.run([path, "--version"], capture_output=True).returncode:
                yield str(path)
                break


def make_environment(python: str, numpy: str) -> Path:
    """Make a new virtual environment with this NumPy, and return its interpreter."""
    folder = FOLDER / f"{Path(python).resolve().name}-{numpy.replace('=', '')}"
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    inside = folder / "bin" / "python"
    needed = [numpy, *map(requirement, LIBRARIES)]
    subprocess.run([inside, "-m", "pip", "install", "-q", *needed], check=True)
    return inside


def check_golden_files() -> None:
    """Decode and encode every good golden file with the libraries of this process."""
    import numpy as np

    from nacli.checkpoint import load_checkpoint

    model = load_checkpoint()
    digest = hashlib.sha256()
    for path in sorted((ROOT / "tests" / "golden").glob("[!b]*.nac")):
        digest.update(_check(path.read_bytes(), model))
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Python {version}, NumPy {np.__version__}: payloads {digest.hexdigest()[:16]}")


def _check(data: bytes, model: Model) -> bytes:
    """Return the payloads of a file; check that they decode and encode to the same bytes."""
    from nacli.decoder.depacketizer import Depacketizer
    from nacli.decoder.parts import Lost
    from nacli.format import Packet, Parser

    unpacker = Depacketizer(model, conceal=False)
    parts = [*unpacker.feed(data), *unpacker.finish()]  # raises Mismatch for other codes
    parser = Parser()
    events = [*parser.feed(data), *parser.finish()]
    payloads = [event.payload for event in events if isinstance(event, Packet)]
    packed = [model.entropy.compress(part.codes) for part in parts if not isinstance(part, Lost)]
    if packed != payloads:
        raise SystemExit("the codes of a golden file are encoded to other bytes")
    return b"".join(payloads)


@click.command("compatibility")
@click.option("--here", is_flag=True, help="Check only this Python and NumPy.")
def main(here: bool) -> None:
    """Check the golden files, in new environments unless --here is given."""
    if here:
        check_golden_files()
        return
    newest, *others = pythons()
    oldest_numpy = requirement("numpy").replace(">=", "==") + ".*"
    for python, numpy in (((others or [newest])[-1], oldest_numpy), (newest, "numpy")):
        inside = make_environment(python, numpy)
        command = [str(inside), __file__, "--here"]
        subprocess.run(command, check=True, env={"PYTHONPATH": str(ROOT)})


if __name__ == "__main__":
    main()
