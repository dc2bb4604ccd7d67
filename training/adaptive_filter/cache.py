"""Cache of segments as the adaptive filter gets them: a step then costs only the filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.adaptive_filter.sizes import HOP
from nacli.checkpoint import Model
from training.adaptive_filter.chain import decode_clip
from training.adaptive_filter.decoded import Decoded, save_arrays
from training.corpus.sampler import AMBIENCE, Sampler, Source

CLIPS, SEGMENTS, SEGMENT_FRAMES = 12, 3, 240
"""Clips of a file, segments of a clip, and frames of a segment, 3.2 s."""
MUSIC_EVERY = 4
"""One in so many files has music, the others have speech; all have some ambience."""
BITRATES = (2, 3, 3, 3.2, 4, 5, 6, 6, 8, 10)
"""Bitrates of clips in kbps; those that repeat are drawn more often."""


def fill_cache(model: Model, sources: list[Source], out: Path, numbers: range) -> None:
    """Decode segments for those files of these numbers that the cache lacks."""
    for number in numbers:
        kind = "speech" if (number + 1) % MUSIC_EVERY else "music"
        path = out / f"{kind}-{number:03}.npz"
        if path.exists():
            continue
        music = 1 - AMBIENCE if kind == "music" else 0.0
        sampler = Sampler(sources, SEGMENTS * SEGMENT_FRAMES * HOP, number, music)
        rates = sampler.random.choice(BITRATES, CLIPS)
        rows = zip(sampler.batch(CLIPS).numpy(), rates, strict=True)
        decoded = [decode_clip(model, pcm, float(rate)) for pcm, rate in rows]
        clips, kbps = zip(*decoded, strict=True)
        save_arrays(path, _segments(clips))
        print(f"{path.stem}: {np.mean(kbps):.2f} kbps", flush=True)


def _segments(clips: tuple[Decoded, ...]) -> dict[str, NDArray[Any]]:
    """Return the fields of all segments of clips, by name."""
    columns = zip(Decoded._fields, zip(*clips, strict=True), strict=True)
    return {
        name: np.concatenate([x.reshape(SEGMENTS, -1, *x.shape[1:]) for x in column])
        for name, column in columns
    }
