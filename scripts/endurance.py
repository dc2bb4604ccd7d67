"""Pipe hours of audio through `nacli encode - | nacli decode -`; print memory and speed.

    python scripts/endurance.py --hours 10

The audio is a clip that repeats, written in pieces of random sizes. At the end, the first part of
the .nac stream is compared with that of a run with other sizes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
import numpy as np

from nacli.audio import AudioInfo
from nacli.audio.wav_stream import write_header
from nacli.bench.clips import read_clip


def pieces(clip: bytes, total: int, largest: int, seed: int) -> Iterator[bytes]:
    """Yield `total` bytes of the repeated clip, in pieces of 1 to `largest` bytes."""
    random, given = np.random.default_rng(seed), 0
    while given < total:
        size = min(int(random.integers(1, largest + 1)), total - given)
        start = given % len(clip)
        piece = clip[start : start + size]
        given += len(piece)
        yield piece


class Relay(threading.Thread):
    """Copies bytes to a target, counts them, and hashes the first `limit` of them."""

    def __init__(self, source: IO[bytes], target: IO[bytes] | None, limit: int = 0) -> None:
        super().__init__()
        self._source, self._target, self._limit = source, target, limit
        self.count, self.hash = 0, hashlib.sha256()

    def run(self) -> None:
        while data := self._source.read1(1 << 16):  # type: ignore[attr-defined]
            self.hash.update(data[: max(0, self._limit - self.count)])
            self.count += len(data)
            if self._target:
                self._target.write(data)
                self._target.flush()
        if self._target:
            self._target.close()


def mebibytes(process: subprocess.Popen[bytes]) -> float:
    """Return the resident memory of a process in MiB."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def encode_start(clip: bytes, header: bytes, total: int, kbps: float, limit: int) -> str:
    """Encode in small pieces, and return the hash of the first `limit` bytes."""
    process = start("encode", "-", "--silent", "--bitrate", str(kbps))
    assert process.stdin and process.stdout
    relay = Relay(process.stdout, None, limit)
    relay.start()
    process.stdin.write(header)
    for piece in pieces(clip, total, 3001, 2):
        process.stdin.write(piece)
    process.stdin.close()
    relay.join()
    return relay.hash.hexdigest()


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start the command line with pipes."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", "nacli", *arguments], stdin=pipe, stdout=pipe)


@click.command("endurance")
@click.option("--hours", default=10.0, help="Hours of audio.")
@click.option("--clip", default=Path("tests/data/talk.flac"), type=click.Path(path_type=Path))
@click.option("--bitrate", default=6.0, help="kbps.")
@click.option("--compare-minutes", default=10.0, help="Minutes to encode again.")
def main(hours: float, clip: Path, bitrate: float, compare_minutes: float) -> None:
    """Print memory in MiB and speed for every hour of audio."""
    sound = read_clip(clip, mono=True)
    samples = (sound.pcm * 32767).astype("<i2").tobytes()
    header = write_header(AudioInfo(sound.rate, 1, "PCM_16", None))
    hour = 2 * sound.rate * 3600
    limit = int(0.8 * compare_minutes * 60 * bitrate * 125)
    encode = start("encode", "-", "--silent", "--bitrate", str(bitrate))
    decode = start("decode", "-", "--silent")
    assert encode.stdin and encode.stdout and decode.stdin and decode.stdout
    between, after = Relay(encode.stdout, decode.stdin, limit), Relay(decode.stdout, None)
    between.start()
    after.start()
    encode.stdin.write(header)
    click.echo("hours in  out  encode MiB  decode MiB  x real time")
    began, given, reported = time.monotonic(), 0, 0
    for piece in pieces(samples, int(hours * hour), 1 << 20, 1):
        encode.stdin.write(piece)
        given += len(piece)
        if given // hour > reported:
            reported = given // hour
            speed = given / hour * 3600 / (time.monotonic() - began)
            memory = f"{mebibytes(encode):10.0f}  {mebibytes(decode):10.0f}"
            click.echo(f"{reported:8d}  {after.count / hour:4.2f}  {memory}  {speed:11.1f}")
    encode.stdin.close()
    between.join()
    after.join()
    expected = int(hours * hour) + len(header)
    click.echo(f"{between.count} bytes of .nac, {after.count} of {expected} bytes of WAV")
    part = int(min(hours, compare_minutes / 60) * hour) // 2 * 2
    same = encode_start(samples, header, part, bitrate, limit) == between.hash.hexdigest()
    click.echo(f"the first {limit} bytes with other pieces: {'the same' if same else 'DIFFERENT'}")
    if not same or after.count != expected or encode.wait() or decode.wait():
        sys.exit(1)


if __name__ == "__main__":
    main()
