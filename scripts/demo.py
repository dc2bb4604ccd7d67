"""Encode and decode a recorded sentence with the command line, and print the figures (`make demo`).

The clip, tests/data/talk.flac, is a sentence of the CC0 dataset rhasspy/dataset-voice-kathleen that
no training saw. The results stay in out/demo for listening.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click
import soundfile

from nacli import read_info
from nacli.bench import metrics
from nacli.bench.clips import read_clip, resample

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "tests" / "data" / "talk.flac"
OUT = ROOT / "out" / "demo"


def nacli(*arguments: object) -> float:
    """Run the command line; return the seconds that the whole command took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "nacli", *map(str, arguments)], check=True, cwd=ROOT)
    return time.perf_counter() - began


def at_speech_rate(path: Path) -> metrics.Samples:
    """Read a file as mono at the sample rate of PESQ."""
    clip = read_clip(path)
    return resample(clip.pcm, clip.rate, metrics.SPEECH_RATE)[:, 0]


@click.command("demo")
def main() -> None:
    """Encode and decode the clip at four bit rates, and print sizes, times and quality."""
    OUT.mkdir(parents=True, exist_ok=True)
    clip = soundfile.info(CLIP)
    original = at_speech_rate(CLIP)
    print(f"{CLIP.name}: {clip.duration:.2f} s, {CLIP.stat().st_size} bytes as FLAC\n")
    print("asked kbps  bytes  real kbps  encode s  decode s  PESQ-WB  log-mel distance")
    for bitrate in (1.5, 3, 6, 12):
        packed, decoded = OUT / f"talk-{bitrate:g}.nac", OUT / f"talk-{bitrate:g}.wav"
        encoding = nacli("encode", "--silent", "-f", "--bitrate", bitrate, CLIP, "-o", packed)
        decoding = nacli("decode", "--silent", "-f", packed, "-o", decoded)
        size, sound = packed.stat().st_size, at_speech_rate(decoded)
        pesq = metrics.pesq_wb(original, sound)
        mel = metrics.log_mel_distance(original, sound, metrics.SPEECH_RATE)
        print(
            f"{bitrate:10g} {size:6} {read_info(packed).kbps:10.2f} {encoding:9.2f}"
            f" {decoding:9.2f} {pesq:8.2f} {mel:17.2f}"
        )
    print(f"\nThe times are those of whole commands, start-up included. Listen: {OUT}")


if __name__ == "__main__":
    main()
