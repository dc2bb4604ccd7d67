"""Codes of the corpus by a frozen model, cached on the disk for entropy model and Decoder.

A segment keeps the best path of every depth, so that any allocation can be drawn from it.
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
from nacli.encoder.code_search import CodeSearch, rate_costs, select
from nacli.entropy import ChannelCodes
from nacli.quantizer.allocation import packet_counts
from nacli.quantizer.rvq import Codebooks
from training.corpus.sampler import MUSIC, Sampler, read_corpus, validation_clips
from training.stage_allocation import draw_allocation_level

SEGMENT_SECONDS = 8
CHUNK = 15
"""Segments of a cache file: two minutes."""


@dataclass(frozen=True)
class CodedSegment:
    """The codes of one channel: gains [F] and the best paths [N, F, N] of the code search."""

    gains: NDArray[np.uint8]
    paths: NDArray[np.int16]

    def draw(self, part: slice, random: np.random.Generator) -> ChannelCodes:
        """Return the codes of some of its frames at a random allocation level; low levels are more
        frequent."""
        gains, stages = self.gains[part].astype(np.int32), self.paths.shape[0]
        counts = packet_counts(gains[None], (draw_allocation_level(stages, random),), stages)[0]
        return ChannelCodes(gains, select(self.paths[:, part].astype(np.int32), counts), counts)

    def packets(self, random: np.random.Generator, frames: int = 75) -> Iterator[ChannelCodes]:
        """Yield packets of `frames` frames, each at its own random level."""
        for start in range(0, len(self.gains), frames):
            yield self.draw(slice(start, start + frames), random)


@dataclass(frozen=True)
class CodedRecording(CodedSegment):
    """A segment with its original samples [F * hop]."""

    pcm: NDArray[np.int16]


Kind = TypeVar("Kind", bound=CodedSegment)


def cached_codes(
    kind: type[Kind],
    model: Model,
    corpus: Path,
    folder: Path,
    seconds: float,
    music: float = MUSIC,
    share: slice = slice(None),
) -> list[Kind]:
    """Return segments of the corpus, coded by `model`; files that exist in `folder` are read.

    Args:
        kind: the type of segment to return.
        seconds: duration of audio to code.
        music: share of music.
        share: the files that this process reads.
    """
    # the key leaves out the codebooks of corrections, which change no codes
    codebooks = Codebooks(model.codebooks.entries, model.codebooks.scales)
    folder = folder / f"{codebooks.digest.hex()}-{music:g}"
    folder.mkdir(parents=True, exist_ok=True)
    sources, segments = read_corpus(corpus), []
    samples = SEGMENT_SECONDS * model.config.sample_rate
    chunks = range(-(-int(seconds) // (SEGMENT_SECONDS * CHUNK)))[share]
    for chunk in tqdm(chunks, desc="codes", unit="chunk", disable=None):
        path = folder / f"{chunk:04}.npz"
        if not path.exists():
            clips = Sampler(sources, samples, 1000 + chunk, music).batch(CHUNK).numpy()
            _write(path, [code_recording(model, clip) for clip in clips])
        segments += _read(kind, path)
    return segments


def held_out_codes(model: Model, corpus: Path, kind: str, clips: int) -> list[CodedRecording]:
    """Return coded segments that training never sees, `clips` of one kind of sound."""
    pcm = validation_clips(read_corpus(corpus), kind, SEGMENT_SECONDS, clips)
    return [code_recording(model, clip) for clip in pcm]


def code_recording(model: Model, pcm: NDArray[np.float32]) -> CodedRecording:
    """Code samples [T] at the coded sample rate; samples after the last whole hop are left out."""
    hop = model.config.hop
    pcm = pcm[: len(pcm) // hop * hop]
    latents, gains = model.networks.analyze(pcm[None], model.networks.new_history())
    costs = rate_costs(model.codebooks, model.tables)
    search = CodeSearch(model.codebooks, costs=costs)
    paths = search.search(latents[0], model.codebooks.stages).paths
    samples = np.rint(pcm * 32767).astype(np.int16)
    return CodedRecording(gains[0].astype(np.uint8), paths.astype(np.int16), samples)


def _write(path: Path, segments: list[CodedRecording]) -> None:
    """Write a temporary file and rename it: an interruption leaves no half-written file."""
    temporary = path.with_suffix(f".{os.getpid()}.npz")
    columns = {f.name: [getattr(s, f.name) for s in segments] for f in fields(CodedRecording)}
    stacked: dict[str, Any] = {name: np.stack(column) for name, column in columns.items()}
    np.savez(temporary, **stacked)
    os.replace(temporary, path)


def _read(kind: type[Kind], path: Path) -> list[Kind]:
    """Read only the arrays that `kind` has."""
    with np.load(path) as stored:
        columns = [stored[field.name] for field in fields(kind)]
        return [kind(*row) for row in zip(*columns, strict=True)]
