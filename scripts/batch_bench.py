"""Many short files: what a batch saves over single commands, and what a kill leaves of it.

    python scripts/batch_bench.py --files 2000

cuts pieces of a second out of tests/data/talk.flac, encodes them as one batch and, on a few of
them, by one command each; then starts the batch again, kills all its processes half-way, says what
is there, runs it once more with --skip-existing and reads every file.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nacli.bench.clips import read_pcm, write_pcm
from nacli.inspection.info import read_info

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "nacli", "encode", "--silent"]
PER_FOLDER = 100


def make_pieces(folder: Path, count: int) -> list[Path]:
    """`count` WAV files of a second, no two alike, `PER_FOLDER` to a folder."""
    pcm, rate = read_pcm(ROOT / "tests" / "data" / "talk.flac")
    paths = [folder / f"{n // PER_FOLDER:03}" / f"{n:06}.wav" for n in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        start = number * 997 % (len(pcm) - rate)
        write_pcm(path, pcm[start : start + rate], rate)
    return paths


def batch(source: Path, target: Path, jobs: int) -> list[str]:
    return [*COMMAND, "-r", str(source), "--output-dir", str(target), "-j", str(jobs)]


def timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT)
    return time.perf_counter() - began


def outputs(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files under their final names, and partial ones."""
    names = [path for path in folder.rglob("*") if path.is_file()]
    return [p for p in names if p.suffix == ".nac"], [p for p in names if p.suffix == ".part"]


def unsound(paths: list[Path]) -> list[Path]:
    """Those with a failed CRC, a missing part, or another length than a second."""
    found = [(path, read_info(str(path))) for path in paths]
    return [path for path, info in found if info.damages or info.end is None or info.seconds != 1.0]


def kill_half_way(command: list[str], target: Path, count: int) -> float:
    """Start a batch, kill its process group when half of the files are there; its seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    while process.poll() is None and len(outputs(target)[0]) < count // 2:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        sys.exit("the batch ended before it was killed")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure batches of short files.")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--single", type=int, default=10, help="files of the loop of commands")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, first, second = (Path(folder) / name for name in ("in", "first", "second"))
        pieces = make_pieces(source, given.files)

        wall = timed(batch(source, first, given.jobs))
        rate = given.files / wall
        print(f"batch, -j {given.jobs}: {given.files} files in {wall:.1f} s, {rate:.2f} a second")
        some = pieces[: given.single]
        alone = sum(timed([*COMMAND, str(p), "-o", f"{p}.nac"]) for p in some) / len(some)
        print(
            f"single commands: {alone:.2f} s a file, measured on {len(some)};"
            f" extrapolated to {given.files}: {alone * given.files:.0f} s,"
            f" {alone * rate:.1f} times the batch"
        )

        wall = kill_half_way(batch(source, second, given.jobs), second, given.files)
        whole, partial = outputs(second)
        print(
            f"killed after {wall:.1f} s: {len(whole)} files, {len(unsound(whole))} of them unsound,"
            f" {len(partial)} partial"
        )
        wall = timed([*batch(source, second, given.jobs), "--skip-existing"])
        whole, partial = outputs(second)
        bad = unsound(whole)
        print(
            f"run again in {wall:.1f} s: {len(whole)} files, {len(bad)} of them unsound,"
            f" {len(partial)} partial"
        )
        differing = [
            path
            for path in whole
            if path.read_bytes() != (first / path.relative_to(second)).read_bytes()
        ]
        print(f"{len(differing)} differ from those of the first batch")
        if len(whole) != given.files or bad or partial:
            sys.exit("not every file is there and sound")


if __name__ == "__main__":
    main()
