"""Measure the latency of a live pipe, from `nacli encode -` to `nacli decode -`.

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
"""Seconds of audio that are written at a time."""


def feed(pipe: IO[bytes], rate: int, seconds: float, written: list[float]) -> None:
    """Write noise in real time, and append the time at which each step was written."""
    random = np.random.default_rng(0)
    pipe.write(write_header(AudioInfo(rate, 1, "PCM_16", None)))
    samples, began = round(STEP * rate), time.monotonic()
    for step in range(round(seconds / STEP)):
        time.sleep(max(0.0, began + (step + 1) * STEP - time.monotonic()))
        noise = (random.normal(size=samples) * 2000).clip(-32767, 32767).astype("<i2")
        pipe.write(noise.tobytes())
        pipe.flush()
        written.append(time.monotonic())
    pipe.close()


def measure(packet_ms: int, rate: int, seconds: float, warm_up: float) -> list[float]:
    """Return the latency in seconds of every step after the warm-up, during which torch loads."""
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
    written: list[float] = []
    threading.Thread(target=feed, args=(encode.stdin, rate, seconds, written)).start()
    header, received = 44, 0
    arrived: list[float] = []
    while data := decode.stdout.read1(1 << 16):  # type: ignore[attr-defined]
        now, taken = time.monotonic(), min(header, len(data))
        header, received = header - taken, received + (len(data) - taken)
        while (len(arrived) + 1) * round(STEP * rate) * 2 <= received:
            arrived.append(now)
    pairs = list(zip(written, arrived, strict=False))[round(warm_up / STEP) :]
    return [end - start for start, end in pairs]


@click.command("latency")
@click.option("--packet-ms", default="40,100,1000", help="Milliseconds, separated by commas.")
@click.option("--rate", default="24000,48000", help="Sample rates in Hz, separated by commas.")
@click.option("--seconds", default=30.0, help="Seconds of audio.")
@click.option("--warm-up", default=15.0, help="Seconds to leave out at the start.")
def main(packet_ms: str, rate: str, seconds: float, warm_up: float) -> None:
    """Print a table of latencies in milliseconds."""
    click.echo("packet ms      Hz  median ms  99% ms")
    for hertz in map(int, rate.split(",")):
        for packet in map(int, packet_ms.split(",")):
            latencies = np.array(measure(packet, hertz, seconds, warm_up)) * 1000
            row = f"{np.median(latencies):9.0f}  {np.quantile(latencies, 0.99):6.0f}"
            click.echo(f"{packet:9d}  {hertz:6d}  {row}")


if __name__ == "__main__":
    main()
