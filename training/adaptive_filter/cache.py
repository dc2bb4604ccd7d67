"""Cache of decoded segments with the Decoder's features: a step then costs only the filter.

The corpus is a folder of Ogg Opus files, and the cache has one file for each of them. The last
tenth of every recording is kept from training; validation clips are cut from there.
"""

from __future__ import annotations

import os
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from nacli.adaptive_filter.sizes import HOP
from nacli.config import CODED_RATE
from nacli.quantizer.allocation import LEVELS_PER_STAGE, packet_counts
from nacli.types import Floats, Integers
from training.adaptive_filter.decoded import Decoded, FrozenCodec, read_mono

SEGMENT_FRAMES, PACKET_FRAMES = 240, 150
"""Frames of a segment, 3.2 s, and of a packet."""
DEPTH = 12
"""Stages of the code search."""
SEGMENTS = {
    "librispeech": 80, "s2i": 20, "speechocean": 16, "kathleen": 8, "kerstin": 8, "ljspeech": 30,
    "vctk": 40, "piano": 25, "bass": 20, "percussion": 30, "ambience": 15,
}  # fmt: skip
"""Segments of each file of a source: sources with many speakers give most."""
VALIDATION = {"librispeech": 5, "s2i": 1, "speechocean": 3, "kathleen": 1, "kerstin": 1, "vctk": 1}
"""Validation clips of each source, one a file."""
SILENT_PEAK = 0.01
FIXED_COUNTS = (3, 4, 4, 5, 6, 8, 8, 10, 12)
"""Stage counts of the segments with the same count in every frame; those that repeat are drawn
more often."""


def source_of(path: Path) -> str:
    """Return the source of a corpus file: its name without the number at the end."""
    return path.stem.rsplit("-", 1)[0]


def fill_cache(state: Path, corpus: Path, out: Path) -> None:
    """Decode the segments of every file that the cache lacks, those with validation clips first."""
    codec, paths = FrozenCodec(state), sorted(corpus.glob("*.opus"))
    out.mkdir(parents=True, exist_ok=True)
    held = [
        path
        for source, count in VALIDATION.items()
        for path in [p for p in paths if source_of(p) == source][::-1][:count]
    ]
    order = np.random.default_rng(1).permutation(len(paths))
    for path in [*held, *(paths[i] for i in order if paths[i] not in held)]:
        stored = out / f"{path.stem}.npz"
        if stored.exists():
            continue
        pcm, random = read_mono(path), np.random.default_rng(zlib.crc32(path.stem.encode()))
        if path in held:
            np.save(out / f"val-{path.stem}.npy", validation_clip(pcm))
        segments = training_segments(pcm, SEGMENTS[source_of(path)], random)
        rule = partial(random_counts, random=random)
        _write(stored, [codec.run(segment, DEPTH, rule) for segment in segments])
        print(path.stem, len(segments), flush=True)


def random_counts(gains: Integers, random: np.random.Generator) -> Integers:
    """Return stage counts [F]: half of the time fixed ones, else those of packets at a random
    allocation level."""
    if random.random() < 0.5:
        return np.where(gains > 0, random.choice(FIXED_COUNTS), 0).astype(np.int32)
    level = int(LEVELS_PER_STAGE * (2.5 + 10 * random.random() ** 1.3))
    return allocated_counts(gains, level, DEPTH)


def allocated_counts(gains: Integers, level: int, stages: int) -> Integers:
    """Return the stage counts [F] of packets at one allocation level."""
    packets = np.split(gains, range(PACKET_FRAMES, len(gains), PACKET_FRAMES))
    return np.concatenate([packet_counts(gains[None], (level,), stages)[0] for gains in packets])


def training_segments(pcm: Floats, count: int, random: np.random.Generator) -> list[Floats]:
    """Return `count` segments of the first nine tenths, at random levels, without silent ones."""
    length, found = SEGMENT_FRAMES * HOP, []
    for start in np.linspace(0, len(pcm) * 9 // 10 - length, count).astype(int):
        segment = pcm[start : start + length]
        peak = np.abs(segment).max()
        if peak > SILENT_PEAK:
            gain = 10 ** (random.uniform(-12, 12) / 20)
            found.append(segment * np.float32(min(gain, 0.99 / peak)))
    return found


def validation_clip(pcm: Floats, seconds: float = 4.0) -> Floats:
    """Return the stretch of the last tenth with the fewest pauses: tenths of a second whose peak
    is 30 dB under the highest."""
    held, length = pcm[len(pcm) * 9 // 10 :], int(seconds * CODED_RATE)
    floor = 0.03 * np.abs(held).max()

    def activity(start: int) -> float:
        tenths = np.abs(held[start : start + length]).reshape(-1, CODED_RATE // 10)
        return float((tenths.max(1) > floor).mean())

    start = max(np.linspace(0, len(held) - length, 30).astype(int), key=activity)
    return held[start : start + length]


def _write(path: Path, segments: list[Decoded]) -> None:
    """Write to a temporary file and rename it: an interruption leaves no damaged file."""
    temporary = path.with_suffix(".partial.npz")
    arrays = {name: np.stack([getattr(s, name) for s in segments]) for name in Decoded._fields}
    np.savez(temporary, **arrays)  # type: ignore[arg-type]
    os.replace(temporary, path)
