"""Draw spectrograms of clips, original and decoded at several bitrates: a picture for each clip.

    python scripts/sheets.py --clips ../shared/eval --out out/sheets

Clips are mixed to mono. The printed table has means over the clips of a folder; "treble" is the
energy above 4 kHz relative to the original's in dB.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from nacli.api import decode, encode
from nacli.bench import figures, metrics
from nacli.bench.clips import Clip, find_clips, read_clip
from robust import decibels, power, real_kbps, treble

COLUMNS = ("real kbps", "log-mel distance", "level in dB", "treble in dB")


def make_sheet(clip: Clip, rates: list[float]) -> tuple[bytes, list[list[float]]]:
    """Return the picture of a clip of one channel, and a row of COLUMNS for each rate in kbps."""
    original, rows = np.asarray(clip.pcm[:, 0], np.float32), []
    reference = original.astype(np.float64)
    versions = {f"{clip.name}, original": figures.decibels(original, clip.rate)}
    for kbps in rates:
        data = encode(clip.pcm, clip.rate, bitrate=kbps)
        sound = decode(data)[0][:, 0]
        decoded = sound.astype(np.float64)
        row = [
            real_kbps(data, clip.seconds),
            metrics.log_mel_distance(original, decoded, clip.rate),
            decibels(power(decoded) / power(reference)),
            decibels(treble(decoded, clip.rate) / max(treble(reference, clip.rate), 1e-20)),
        ]
        title = f"{row[0]:.2f} kbps, log-mel distance {row[1]:.2f}"
        versions[title] = figures.decibels(sound, clip.rate)
        rows.append(row)
    return figures.sheet(versions, clip.rate, clip.seconds), rows


@click.command("sheets")
@click.option("--clips", type=click.Path(path_type=Path), default=Path("../shared/eval"))
@click.option("--count", default=4, help="Number of clips of each folder.")
@click.option("--seconds", default=5.0, help="Seconds of each clip.")
@click.option("--bitrate", default="1.5,3,6,12", help="kbps, separated by commas.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/sheets"))
def main(clips: Path, count: int, seconds: float, bitrate: str, out: Path) -> None:
    """Write FOLDER-CLIP.png for each clip, and print a table of means."""
    out.mkdir(parents=True, exist_ok=True)
    rates = [float(kbps) for kbps in bitrate.split(",")]
    folders = sorted(path for path in clips.iterdir() if path.is_dir()) or [clips]
    click.echo("| clips | asked kbps | " + " | ".join(COLUMNS) + " |")
    click.echo("|---" * (2 + len(COLUMNS)) + "|")
    for folder in folders:
        tables = []
        for path in find_clips((str(folder),))[:count]:
            picture, rows = make_sheet(read_clip(path, seconds, mono=True), rates)
            (out / f"{folder.name}-{path.stem}.png").write_bytes(picture)
            tables.append(rows)
        for kbps, row in zip(rates, np.mean(tables, axis=0), strict=True):
            cells = " | ".join(f"{value:.2f}" for value in row)
            click.echo(f"| {folder.name} | {kbps:g} | {cells} |")


if __name__ == "__main__":
    main()
