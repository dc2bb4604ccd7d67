"""Codes of the frozen quantiser over the corpus, cached: what entropy model and Decoder learn from.

A segment is kept with the best path of every depth, so that any allocation can be drawn from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nacli.checkpoint import Model
from nacli.encoder.code_search import rate_costs, search, select
from nacli.entropy import ChannelCodes
from nacli.quantizer.allocation import packet_counts
from nacli.quantizer.rvq import Codebooks
from training.codec import draw_level
from training.corpus import MUSIC, Sampler, read_corpus, validation_clips

SEGMENT_SECONDS = 8
CHUNK = 15
"""Segments of a file: two minutes."""


@dataclass(frozen=True)
class Segment:
    """A stretch of one channel: gains [F] and the best paths [N, F, N] of `search`."""

    gains: NDArray[np.uint8]
    paths: NDArray[np.int16]

    def draw(self, part: slice, random: np.random.Generator) -> ChannelCodes:
        """Its frames in a part, at a random level, the low ones more often."""
        gains, stages = self.gains[part].astype(np.int32), self.paths.shape[0]
        counts = packet_counts(gains[None], (draw_level(stages, random),), stages)[0]
        return ChannelCodes(gains, select(self.paths[:, part].astype(np.int32), counts), counts)

    def packets(self, random: np.random.Generator, frames: int = 75) -> Iterator[ChannelCodes]:
        """Its packets."""
        for start in range(0, len(self.gains), frames):
            yield self.draw(slice(start, start + frames), random)


@dataclass(frozen=True)
class Recording(Segment):
    """A segment and what it was made of: samples [F * hop]."""

    pcm: NDArray[np.int16]


Kind = TypeVar("Kind", bound=Segment)


def cached_codes(
    kind: type[Kind],
    model: Model,
    corpus: Path,
    folder: Path,
    seconds: float,
    music: float = MUSIC,
    share: slice = slice(None),
) -> list[Kind]:
    """Segments of the corpus; files that `folder` has already are not made again. `share` says
    which of the files are this process's."""
    books = Codebooks(
        model.codebooks.entries, model.codebooks.scales
    )  # whatever the corrections are
    folder = folder / f"{books.digest.hex()}-{music:g}"
    folder.mkdir(parents=True, exist_ok=True)
    sources, segments = read_corpus(corpus), []
    samples = SEGMENT_SECONDS * model.config.sample_rate
    chunks = range(-(-int(seconds) // (SEGMENT_SECONDS * CHUNK)))[share]
    for chunk in tqdm(chunks, desc="codes", unit="chunk", disable=None):
        path = folder / f"{chunk:04}.npz"
        if not path.exists():
            clips = Sampler(sources, samples, 1000 + chunk, music).batch(CHUNK).numpy()
            _write(path, [analyze(model, clip) for clip in clips])
        segments += _read(kind, path)
    return segments


def held_out_codes(model: Model, corpus: Path, kind: str, clips: int) -> list[Recording]:
    """Segments of what training never sees."""
    found = validation_clips(read_corpus(corpus), kind, SEGMENT_SECONDS, clips)
    return [analyze(model, clip) for clip in found]


def analyze(model: Model, pcm: NDArray[np.float32]) -> Recording:
    """Samples [T] at 24 kHz to a segment; what is left over of a hop is not taken."""
    hop = model.config.hop
    pcm = pcm[: len(pcm) // hop * hop]
    latents, gains = model.networks.analyze(pcm[None], model.networks.new_history())
    costs = rate_costs(model.codebooks, model.tables)
    paths = search(latents[0], model.codebooks, model.codebooks.stages, costs=costs).paths
    sound = np.rint(pcm * 32767).astype(np.int16)
    return Recording(gains[0].astype(np.uint8), paths.astype(np.int16), sound)


def _write(path: Path, segments: list[Recording]) -> None:
    """Beside, then renamed: an interruption leaves no half file."""
    partial = path.with_suffix(f".{os.getpid()}.npz")
    columns = {f.name: [getattr(s, f.name) for s in segments] for f in fields(Recording)}
    stacked: dict[str, Any] = {name: np.stack(column) for name, column in columns.items()}
    np.savez(partial, **stacked)
    os.replace(partial, path)


def _read(kind: type[Kind], path: Path) -> list[Kind]:
    """Only what this kind of segment has."""
    with np.load(path) as stored:
        columns = [stored[field.name] for field in fields(kind)]
        return [kind(*row) for row in zip(*columns, strict=True)]
