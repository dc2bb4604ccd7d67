"""Count the tables of the high band, and put them into a checkpoint.

    python scripts/fit_highband.py --debian data/debian

The corpus is kept at 24 kHz, where there is no high band. So recordings are taken from the packages
that `scripts/corpus.py` has fetched: the first seconds of each, at their own rate, some minutes of
every source. Files made before name another model.
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
from nacli.audio import Resampler
from nacli.bench.clips import resample
from nacli.checkpoint import HIGH_BAND, default_path, load_checkpoint
from nacli.config import CODED_RATE
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.high_band import BANDS, LEVELS, RATE, RATIO
from nacli.dsp.high_band_analysis import HighBandAnalyzer, level_trajectories
from nacli.entropy import frequencies
from nacli.entropy.high_band import CONTEXTS, level_differences
from nacli.tensor_file import Tensors
from training.states import rewrite_checkpoint

PACKET = 150
"""Frames."""
LOWEST_RATE = 44_100
"""Of recordings that may have a whole high band."""


def recordings(source: Source, debian: Path, seconds: float) -> Iterator[NDArray[np.float32]]:
    """Beginnings of a source's clips, mono at RATE."""
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


def packets(pcm: NDArray[np.float32], hop: int) -> Iterator[NDArray[np.int32]]:
    """Levels [S, n] of the packets of a recording [T, 1] at RATE, for all lengths of spans."""
    coded = resample(pcm, RATE, CODED_RATE)
    meter = HighBandAnalyzer(Resampler(RATE, RATE, 1), 1, hop)
    meter.push(pcm)
    frames = min(len(coded) // hop, len(pcm) // (RATIO * hop))
    below = BandEnergyMeter(1, bark_spectra(hop, CODED_RATE)).measure(coded[: frames * hop].T)[0]
    high = meter.take(frames)[0]
    for start in range(0, frames, PACKET):
        part = slice(start, start + PACKET)
        yield from level_trajectories(high[part], below[part]).values()


def tables(found: list[NDArray[np.int32]]) -> Tensors:
    """Of levels [S, n]; what was never seen stays possible."""
    numbers = np.ones((1, BANDS + 1), dtype=np.int64)
    counts = np.ones((CONTEXTS, 2 * LEVELS - 1), dtype=np.int64)
    for levels in found:
        numbers[0, levels.shape[1]] += 1
        rows, steps = level_differences(levels)
        np.add.at(counts, (rows, steps + LEVELS - 1), 1)
    made = (frequencies(numbers), frequencies(counts))
    return {name: table.astype(np.uint32) for name, table in zip(HIGH_BAND, made, strict=True)}


@click.command()
@click.option("--model", type=click.Path(path_type=Path), help="Checkpoint; default: the shipped.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: replace the checkpoint.")
@click.option("--debian", type=click.Path(path_type=Path), default=Path("data/debian"))
@click.option("--seconds", default=15.0, help="Of each clip.")
@click.option("--clips", default=16, help="Of each source.")
def main(model: Path | None, out: Path | None, debian: Path, seconds: float, clips: int) -> None:
    """Write the checkpoint, and print how much was counted."""
    path = model or default_path()
    out = out or path
    loaded, heard = load_checkpoint(path), 0
    found: list[NDArray[np.int32]] = []
    for source in (source for source in SOURCES if source.package):
        for pcm in islice(recordings(source, debian, seconds), clips):
            found += packets(pcm, loaded.config.hop)
            heard += len(pcm)
    print(f"{heard / RATE / 60:.0f} minutes, {sum(x.size for x in found)} levels")
    rewrite_checkpoint(path, out, loaded.tensors | tables(found))
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
