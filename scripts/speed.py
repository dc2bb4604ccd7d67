"""Measure whole commands: CPU time, wall time, speed and peak memory, beside opusenc and opusdec.

    python scripts/speed.py [--clips FOLDER] [--seconds 3,60,600] [--cores 1,2] [--bitrate 6]

Every figure is of a process of its own, start-up included, and all of them come from one run. The
recording is made of the clips, one after another, again from the first where they end. Python may
keep compiled modules, as it does for an installed package. The table is in Markdown, as the README
shows it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import soundfile

from nacli.audio import Resampler
from nacli.types import Pcm

CLIPS = Path(__file__).resolve().parent.parent / "tests" / "data"
RATE = 24_000
NACLI = [sys.executable, "-m", "nacli"]
HEAD = """| command | audio | cores | CPU s | wall s | times real time | peak MiB |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Cost:
    """What a command took: CPU and wall time in seconds, peak memory in bytes."""

    cpu: float
    wall: float
    memory: int


def run(command: list[str], cores: int, environment: dict[str, str]) -> Cost:
    """Run a command on so many cores. Raises `CalledProcessError` where it fails."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    assert process.stderr is not None
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status:
        raise subprocess.CalledProcessError(status, command, stderr=message)
    return Cost(usage.ru_utime + usage.ru_stime, wall, 1024 * usage.ru_maxrss)


def recording(clips: Path, seconds: float) -> Pcm:
    """Samples [T, 1] at RATE: the clips in a row, again and again."""
    parts = []
    for path in sorted(p for p in clips.iterdir() if p.suffix in (".flac", ".wav")):
        pcm, rate = soundfile.read(path, dtype="float32", always_2d=True)
        resampler = Resampler(rate, RATE, 1)
        mono = pcm.mean(1, keepdims=True)
        parts += [resampler.process(mono), resampler.flush()]
    whole = np.concatenate(parts)
    times = int(np.ceil(seconds * RATE / len(whole)))
    return np.tile(whole, (times, 1))[: round(seconds * RATE)]


def commands(wav: Path, nac: Path, opus: Path, bitrate: float) -> list[tuple[str, list[str]]]:
    """Labels and commands, each of which reads what the one before has written."""
    out = str(wav.with_name("out.wav"))
    nacli = [
        ("nacli encode", [*NACLI, "encode", "-q", "-f", "--bitrate", f"{bitrate:g}"]),
        ("nacli decode", [*NACLI, "decode", "-q", "-f"]),
    ]
    nacli[0][1].extend([str(wav), "-o", str(nac)])
    nacli[1][1].extend([str(nac), "-o", out])
    if not (shutil.which("opusenc") and shutil.which("opusdec")):
        return nacli
    encode = ["opusenc", "--quiet", "--bitrate", f"{bitrate:g}", str(wav), str(opus)]
    return [*nacli, ("opusenc", encode), ("opusdec", ["opusdec", "--quiet", str(opus), out])]


def row(label: str, seconds: float, cores: int, cost: Cost) -> str:
    """One line of the table."""
    length = f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"
    figures = f"{cost.cpu:.2f} | {cost.wall:.2f} | {seconds / cost.wall:.1f}"
    return f"| {label} | {length} | {cores} | {figures} | {cost.memory / 2**20:.0f} |"


@click.command()
@click.option("--clips", default=CLIPS, type=click.Path(path_type=Path), help="A folder of audio.")
@click.option("--seconds", default="3,60,600", help="Lengths of the recording.")
@click.option("--cores", default="1,2", help="Numbers of cores.")
@click.option("--bitrate", default=6.0, help="kbps of all codecs.")
def main(clips: Path, seconds: str, cores: str, bitrate: float) -> None:
    """Print the table."""
    click.echo(HEAD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wav, nac, opus = (folder / f"talk.{end}" for end in ("wav", "nac", "opus"))
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "modules")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        soundfile.write(wav, recording(clips, 0.1), RATE, "PCM_16")
        for _, command in commands(wav, nac, opus, bitrate):  # compiles the modules
            run(command, 1, environment)
        for length in map(float, seconds.split(",")):
            soundfile.write(wav, recording(clips, length), RATE, "PCM_16")
            for label, command in commands(wav, nac, opus, bitrate):
                for count in map(int, cores.split(",")):
                    cost = run(command, count, environment)
                    click.echo(row(label, length, count, cost))


if __name__ == "__main__":
    main()
