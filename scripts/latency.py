"""Latency of a live pipe: from a sample that goes into `nacli encode -` to the same sample coming
out of `nacli decode -`, fed in real time.

    python scripts/latency.py
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import IO

import click
import numpy as np

from nacli.audio import AudioInfo
from nacli.audio.wav_stream import write_header

STEP = 0.01
"""Seconds of sound that are fed at a time."""


def feed(pipe: IO[bytes], rate: int, seconds: float, fed: list[float]) -> None:
    """Write noise at the speed of time, noting when each step has gone in."""
    random = np.random.default_rng(0)
    pipe.write(write_header(AudioInfo(rate, 1, "PCM_16", None)))
    samples, began = round(STEP * rate), time.monotonic()
    for step in range(round(seconds / STEP)):
        time.sleep(max(0.0, began + (step + 1) * STEP - time.monotonic()))
        noise = (random.normal(size=samples) * 2000).clip(-32767, 32767).astype("<i2")
        pipe.write(noise.tobytes())
        pipe.flush()
        fed.append(time.monotonic())
    pipe.close()


def measure(packet_ms: int, rate: int, seconds: float, warm_up: float) -> list[float]:
    """Seconds of latency of every step after the warm-up, in which torch is loaded."""
    nacli = [sys.executable, "-m", "nacli"]
    encode = subprocess.Popen(
        [*nacli, "encode", "-", "--silent", "--bitrate", "12", "--packet-ms", str(packet_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    decode = subprocess.Popen(
        [*nacli, "decode", "-", "--silent"], stdin=encode.stdout, stdout=subprocess.PIPE
    )
    assert encode.stdin and encode.stdout and decode.stdout
    encode.stdout.close()
    fed: list[float] = []
    threading.Thread(target=feed, args=(encode.stdin, rate, seconds, fed)).start()
    header, heard = 44, 0
    came: list[float] = []
    while data := decode.stdout.read1(1 << 16):  # type: ignore[attr-defined]
        now, taken = time.monotonic(), min(header, len(data))
        header, heard = header - taken, heard + (len(data) - taken)
        while (len(came) + 1) * round(STEP * rate) * 2 <= heard:
            came.append(now)
    pairs = list(zip(fed, came, strict=False))[round(warm_up / STEP) :]
    return [there - here for here, there in pairs]


@click.command()
@click.option("--packet-ms", default="40,100,1000", help="Milliseconds, separated by commas.")
@click.option("--rate", default="24000,48000", help="Sample rates.")
@click.option("--seconds", default=30.0)
@click.option("--warm-up", default=15.0, help="Seconds left out at the start.")
def main(packet_ms: str, rate: str, seconds: float, warm_up: float) -> None:
    """Print a table of latencies in milliseconds."""
    click.echo("packet ms      Hz  median ms  99% ms")
    for hertz in map(int, rate.split(",")):
        for packet in map(int, packet_ms.split(",")):
            found = np.array(measure(packet, hertz, seconds, warm_up)) * 1000
            row = f"{np.median(found):9.0f}  {np.quantile(found, 0.99):6.0f}"
            click.echo(f"{packet:9d}  {hertz:6d}  {row}")


if __name__ == "__main__":
    main()
