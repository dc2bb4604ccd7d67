"""Codes of the frozen quantiser over the corpus, cached: what the entropy model is trained on.

A segment is kept with the best path of every depth, so that any allocation can be drawn from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nacli.allocate import packet_counts
from nacli.checkpoint import Model
from nacli.choice import EAGERNESS
from nacli.entropy import ChannelCodes
from nacli.quantize import search, select
from nacli.refine import average_costs
from training.codec import draw_level
from training.corpus import Sampler, read_corpus, validation_clips

SEGMENT_SECONDS = 8
CHUNK = 15
"""Segments of a file: two minutes."""


@dataclass(frozen=True)
class Segment:
    """A stretch of one channel: gains [F] and the best paths [N, F, N] of `search`."""

    gains: NDArray[np.int32]
    paths: NDArray[np.int16]

    def packets(self, random: np.random.Generator, frames: int = 75) -> Iterator[ChannelCodes]:
        """Its packets, each at a random level, the low ones more often."""
        stages = self.paths.shape[0]
        for start in range(0, len(self.gains), frames):
            part = slice(start, start + frames)
            gains = self.gains[part]
            counts = packet_counts(gains[None], (draw_level(stages, random),), stages)[0]
            yield ChannelCodes(gains, select(self.paths[:, part].astype(np.int32), counts), counts)


def cached_codes(model: Model, corpus: Path, folder: Path, seconds: float) -> list[Segment]:
    """Segments of the corpus; files that `folder` has already are not made again."""
    folder = folder / model.codebooks.digest.hex()
    folder.mkdir(parents=True, exist_ok=True)
    sources, segments = read_corpus(corpus), []
    samples = SEGMENT_SECONDS * model.config.sample_rate
    chunks = range(-(-int(seconds) // (SEGMENT_SECONDS * CHUNK)))
    for chunk in tqdm(chunks, desc="codes", unit="chunk", disable=None):
        path = folder / f"{chunk:04}.npz"
        if not path.exists():
            clips = Sampler(sources, samples, seed=1000 + chunk).batch(CHUNK).numpy()
            _write(path, [analyze(model, clip) for clip in clips])
        segments += _read(path)
    return segments


def held_out_codes(model: Model, corpus: Path, kind: str, clips: int) -> list[Segment]:
    """Segments of what training never sees."""
    found = validation_clips(read_corpus(corpus), kind, SEGMENT_SECONDS, clips)
    return [analyze(model, clip) for clip in found]


def analyze(model: Model, pcm: NDArray[np.float32]) -> Segment:
    """Samples [T] at 24 kHz to a segment; what is left over of a hop is not taken."""
    hop = model.config.hop
    pcm = pcm[: len(pcm) // hop * hop]
    latents, gains, _ = model.networks.analyze(pcm[None], model.networks.new_history())
    costs = average_costs(model.codebooks, model.tables, EAGERNESS)
    paths = search(latents[0], model.codebooks, model.codebooks.stages, costs=costs).paths
    return Segment(gains[0], paths.astype(np.int16))


def _write(path: Path, segments: list[Segment]) -> None:
    """Beside, then renamed: an interruption leaves no half file."""
    partial = path.with_suffix(".partial.npz")
    gains = np.stack([segment.gains for segment in segments])
    np.savez(partial, gains=gains, paths=np.stack([segment.paths for segment in segments]))
    os.replace(partial, path)


def _read(path: Path) -> list[Segment]:
    with np.load(path) as stored:
        return [Segment(*pair) for pair in zip(stored["gains"], stored["paths"], strict=True)]
