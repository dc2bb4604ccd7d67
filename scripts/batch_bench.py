"""Measure batches of short files: their speed against single commands, and resuming after a kill.

    python scripts/batch_bench.py --files 2000

The script cuts pieces of a second out of tests/data/talk.flac, and encodes them as one batch and
some of them with one command each. Then it starts the batch again, kills all its processes
half-way, prints the files that exist, resumes with --skip-existing, and reads every file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from nacli.bench.clips import read_pcm, write_pcm
from nacli.inspection.info import read_info

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "nacli", "encode", "--silent"]
PER_FOLDER = 100


def make_pieces(folder: Path, count: int) -> list[Path]:
    """Write `count` different WAV files of one second, `PER_FOLDER` in a folder."""
    pcm, rate = read_pcm(ROOT / "tests" / "data" / "talk.flac")
    paths = [folder / f"{n // PER_FOLDER:03}" / f"{n:06}.wav" for n in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        start = number * 997 % (len(pcm) - rate)
        write_pcm(path, pcm[start : start + rate], rate)
    return paths


def batch(source: Path, target: Path, jobs: int) -> list[str]:
    """Return the command of a batch."""
    return [*COMMAND, "-r", str(source), "--output-dir", str(target), "-j", str(jobs)]


def timed(command: list[str]) -> float:
    """Run a command and return its seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT)
    return time.perf_counter() - began


def outputs(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return encoded files, and temporary files."""
    names = [path for path in folder.rglob("*") if path.is_file()]
    return [p for p in names if p.suffix == ".nac"], [p for p in names if p.suffix == ".part"]


def damaged(paths: list[Path]) -> list[Path]:
    """Return the files with a failed CRC, a missing part, or a length other than one second."""
    infos = [(path, read_info(str(path))) for path in paths]
    return [path for path, info in infos if info.damages or info.end is None or info.seconds != 1.0]


def kill_half_way(command: list[str], target: Path, count: int) -> float:
    """Start a batch, kill its processes once half of the files exist, and return its seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    while process.poll() is None and len(outputs(target)[0]) < count // 2:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        sys.exit("the batch ended before it was killed")
    return time.perf_counter() - began


@click.command("batch_bench")
@click.option("--files", default=2000, help="Files of the batch.")
@click.option("--jobs", default=2, help="Processes of the batch.")
@click.option("--single", default=10, help="Files to encode with one command each.")
def main(files: int, jobs: int, single: int) -> None:
    """Measure a batch of short files, kill one half-way, and resume it."""
    with tempfile.TemporaryDirectory() as folder:
        source, first, second = (Path(folder) / name for name in ("in", "first", "second"))
        pieces = make_pieces(source, files)
        rate = measure_batch(batch(source, first, jobs), files)
        measure_single(pieces[:single], rate, files)
        kill_and_resume(batch(source, second, jobs), second, files)
        encoded, _ = outputs(second)
        differing = [
            path
            for path in encoded
            if path.read_bytes() != (first / path.relative_to(second)).read_bytes()
        ]
        print(f"{len(differing)} differ from those of the first batch")


def measure_batch(command: list[str], files: int) -> float:
    """Run a batch, print its speed, and return it in files per second."""
    seconds = timed(command)
    print(f"batch: {files} files in {seconds:.1f} s, {files / seconds:.2f} a second")
    return files / seconds


def measure_single(pieces: list[Path], rate: float, files: int) -> None:
    """Encode each piece with its own command, and compare with a batch of `rate` files a second."""
    seconds = sum(timed([*COMMAND, str(p), "-o", f"{p}.nac"]) for p in pieces) / len(pieces)
    print(
        f"single commands: {seconds:.2f} s a file, measured on {len(pieces)};"
        f" extrapolated to {files}: {seconds * files:.0f} s,"
        f" {seconds * rate:.1f} times the batch"
    )


def kill_and_resume(command: list[str], target: Path, files: int) -> None:
    """Kill a batch half-way, resume it with --skip-existing, and check its files.

    Exits with an error unless all files are complete in the end.
    """
    seconds = kill_half_way(command, target, files)
    print_outputs(f"killed after {seconds:.1f} s", target)
    seconds = timed([*command, "--skip-existing"])
    encoded, bad, temporary = print_outputs(f"resumed in {seconds:.1f} s", target)
    if encoded != files or bad or temporary:
        sys.exit("some files are missing or damaged")


def print_outputs(title: str, folder: Path) -> tuple[int, int, int]:
    """Print and return the numbers of encoded, damaged and temporary files."""
    encoded, temporary = outputs(folder)
    numbers = len(encoded), len(damaged(encoded)), len(temporary)
    print("{}: {} files, {} of them damaged, {} temporary".format(title, *numbers))
    return numbers


if __name__ == "__main__":
    main()
