"""Count the tables of the high band, and put them into a checkpoint.

    python scripts/fit_highband.py --debian data/debian

The corpus is kept at 24 kHz, where there is no high band. So recordings come from the packages that
`scripts/corpus.py` has fetched: the first seconds of each at their own rate, some minutes of every
source. Files made before name another model.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import soundfile
from numpy.typing import NDArray

from corpus import SOURCES, Source, clip_paths, read_clip, unpack
from nacli.bench.clips import resample
from nacli.checkpoint import default_path, load_checkpoint
from nacli.dsp.high_band import RATE
from training.high_band_tables import high_band_packets, high_band_tables
from training.loop.states import rewrite_checkpoint
from training.options import PATH

LOWEST_RATE = 44_100
"""Lowest sample rate in Hz of recordings with a whole high band."""


def recordings(source: Source, debian: Path, seconds: float) -> Iterator[NDArray[np.float32]]:
    """Yield the first seconds [T, 1] of a source's clips, mono at RATE."""
    with TemporaryDirectory(dir=debian) as tree:
        unpack(source.package, debian, Path(tree))
        for path in clip_paths(source, Path(tree)):
            try:
                pcm, rate = read_clip(path, source.ffmpeg)
            except soundfile.LibsndfileError:
                continue
            if rate >= LOWEST_RATE and len(pcm):
                pcm = pcm[: int(seconds * rate)].mean(1, keepdims=True)
                yield resample(pcm, rate, RATE)


@click.command("fit_highband")
@click.option("--model", type=PATH, help="Checkpoint; default: the shipped one.")
@click.option("--out", type=PATH, help="Default: replace the checkpoint.")
@click.option("--debian", type=PATH, default=Path("data/debian"), help="Folder of the packages.")
@click.option("--seconds", default=15.0, help="Seconds of each clip.")
@click.option("--clips", default=16, help="Clips of each source.")
def main(model: Path | None, out: Path | None, debian: Path, seconds: float, clips: int) -> None:
    """Write the checkpoint, and print how much audio was counted."""
    path = model or default_path()
    out = out or path
    loaded, samples = load_checkpoint(path), 0
    packets: list[NDArray[np.int32]] = []
    for source in (source for source in SOURCES if source.package):
        for pcm in islice(recordings(source, debian, seconds), clips):
            packets += high_band_packets(pcm, loaded.config.hop)
            samples += len(pcm)
    print(f"{samples / RATE / 60:.0f} minutes, {sum(x.size for x in packets)} levels")
    rewrite_checkpoint(path, out, loaded.tensors | high_band_tables(packets))
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
