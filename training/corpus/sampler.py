"""Random training segments from the folder that `scripts/corpus.py` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nacli.config import CODED_RATE

MUSIC, AMBIENCE = 0.33, 0.05
"""Shares of music and ambience in batches; the rest is speech."""
SILENT_PEAK, MAX_GAIN_DB = 0.003, 12.0
"""Peak under which segments are silent, and largest random change of the level."""
HELD_OUT_SECONDS = 60.0
"""Length of the end of every source that training never sees: validation clips come from there."""


@dataclass(frozen=True)
class Source:
    """One source of the corpus: int16 samples at 24 kHz, memory-mapped."""

    name: str
    kind: str
    samples: np.ndarray
    sample_rate: int = CODED_RATE

    @property
    def held_out(self) -> int:
        """Number of samples held out at the end: a minute, or a tenth of a short source."""
        return min(int(HELD_OUT_SECONDS * self.sample_rate), len(self.samples) // 10)

    @property
    def training(self) -> np.ndarray:
        """The samples [T] before the held-out end."""
        return self.samples[: len(self.samples) - self.held_out]

    @property
    def validation(self) -> np.ndarray:
        """The held-out samples [T]."""
        return self.samples[len(self.samples) - self.held_out :]


def read_corpus(folder: Path) -> list[Source]:
    """Return all sources that `index.json` lists."""
    rows = json.loads((folder / "index.json").read_text())
    return [
        Source(row["name"], row["kind"], np.load(folder / row["file"], mmap_mode="r"))
        for row in rows
    ]


class Sampler:
    """Draws batches of segments of `segment` samples.

    It draws the kind by its share, the source by the square root of its length, then a position.
    `music` is the share of music.
    """

    def __init__(
        self, sources: list[Source], segment: int, seed: int, music: float = MUSIC
    ) -> None:
        self.sources, self.segment = [s for s in sources if len(s.training) > segment], segment
        self.random = np.random.default_rng(seed)
        speech = round(1 - AMBIENCE - music, 6)
        self.weights = self._weights({"speech": speech, "music": music, "ambience": AMBIENCE})

    def _weights(self, shares: dict[str, float]) -> np.ndarray:
        root = np.array([np.sqrt(len(source.training)) for source in self.sources])
        kinds = np.array([source.kind for source in self.sources])
        for kind, share in shares.items():
            if (kinds == kind).any():
                root[kinds == kind] *= share / root[kinds == kind].sum()
        return root / root.sum()

    def batch(self, size: int) -> torch.Tensor:
        """Draw segments [size, segment] within +-1, at random levels."""
        return torch.from_numpy(np.stack([self._segment() for _ in range(size)]))

    def _segment(self) -> np.ndarray:
        """Draw a segment that is not silent, and change its level."""
        for _ in range(20):
            samples = self.sources[self.random.choice(len(self.sources), p=self.weights)].training
            start = self.random.integers(len(samples) - self.segment)
            pcm = samples[start : start + self.segment].astype(np.float32) / 32768
            peak = np.abs(pcm).max()
            if peak > SILENT_PEAK:
                break
        gain = 10 ** (self.random.uniform(-MAX_GAIN_DB, MAX_GAIN_DB) / 20)
        return pcm * min(gain, 0.99 / max(peak, 1e-6))


def validation_clips(sources: list[Source], kind: str, seconds: float, count: int) -> np.ndarray:
    """Return held-out clips [N, samples] of one kind, spread over its sources: `count`, or all
    where there are fewer."""
    length = int(seconds * CODED_RATE)
    held_out = [s.validation for s in sources if s.kind == kind and s.held_out >= 2 * length]
    most = max((len(samples) // length for samples in held_out), default=0)
    clips = [
        samples[number * length : (number + 1) * length]
        for number in range(most)
        for samples in held_out
        if len(samples) >= (number + 1) * length
    ]
    return np.stack(clips[:count]).astype(np.float32) / 32768
