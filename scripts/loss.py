"""Measure the PESQ of speech with lost packets, with concealment and with silence instead.

python scripts/loss.py --clips ../shared/eval/speech
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from nacli.api import decode, encode, load_model
from nacli.bench import metrics
from nacli.bench.clips import Clip, find_clips, read_clip, resample
from nacli.decoder.timeline import Gap
from nacli.format import Packet, Parser


def packet_bounds(data: bytes) -> list[tuple[int, int]]:
    """Return the first and the last byte offset of each packet."""
    parser, bounds = Parser(), []
    before = 0
    for at in range(len(data)):
        for event in parser.feed(data[at : at + 1]):
            if isinstance(event, Packet):
                bounds.append((before, parser.offset))
            before = parser.offset
    return bounds


def without_packets(data: bytes, share: float, random: np.random.Generator) -> bytes:
    """Remove about `share` of the packets of a file; the first and the last stay."""
    inner = packet_bounds(data)[1:-1]
    lost = random.random(len(inner)) < share
    for (start, stop), gone in reversed(list(zip(inner, lost, strict=True))):
        if gone:
            data = data[:start] + data[stop:]
    return data


def silenced(pcm: np.ndarray, gaps: list[Gap]) -> np.ndarray:
    """Replace every gap of decoded samples [T, C] by silence."""
    pcm = pcm.copy()
    for gap in gaps:
        pcm[gap.start : gap.start + gap.samples] = 0
    return pcm


def score(clip: Clip, pcm: np.ndarray) -> float:
    """Return the PESQ-WB of decoded samples [T, 1]."""
    rate = metrics.SPEECH_RATE
    pair = [resample(x, clip.rate, rate)[:, 0] for x in (clip.pcm, pcm)]
    return metrics.pesq_wb(*pair)


@click.command("loss")
@click.option("--clips", type=click.Path(path_type=Path), default=Path("tests/data"))
@click.option("--bitrate", default=6.0, help="kbps.")
@click.option("--packet-frames", default=3, help="Frames of a packet, 13.3 ms each.")
@click.option("--seconds", default=8.0, help="Seconds of each clip.")
@click.option("--seeds", default=2, help="Random patterns for each clip and share.")
@click.option("--shares", default="0,1,5,20", help="Lost packets in per cent, separated by commas.")
def main(
    clips: Path, bitrate: float, packet_frames: int, seconds: float, seeds: int, shares: str
) -> None:
    """Print a table of the mean PESQ-WB over the clips."""
    model = load_model()
    coded = []
    for path in find_clips((str(clips),)):
        clip = read_clip(path, seconds, mono=True)
        data = encode(clip.pcm, clip.rate, bitrate=bitrate, packet_frames=packet_frames)
        coded.append((clip, data))
    click.echo(f"packets of {packet_frames * 13.333:.0f} ms, {bitrate:g} kbps, {len(coded)} clips")
    click.echo(f"{'lost':>6}  {'concealed':>9}  {'silence':>7}")
    for share in map(float, shares.split(",")):
        rows: list[Any] = []
        for clip, data in tqdm(coded, leave=False):
            for seed in range(seeds):
                gaps: list[Gap] = []
                lossy = without_packets(data, share / 100, np.random.default_rng(seed))
                pcm, _ = decode(lossy, model=model, on_gap=gaps.append)
                rows.append((score(clip, pcm), score(clip, silenced(pcm, gaps))))
        concealed, silent = np.mean(rows, axis=0)
        click.echo(f"{share:5g}%  {concealed:9.3f}  {silent:7.3f}")


if __name__ == "__main__":
    main()
