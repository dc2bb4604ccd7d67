"""Audio files and pipes for tests."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nacli.audio import AudioInfo, AudioReader, AudioWriter
from nacli.audio.pcm import encode_samples
from nacli.audio.wav_stream import write_header
from nacli.types import Pcm

TAGS: tuple[str, ...] = (
    "TITLE=Gr\u00fc\u00dfe",
    "ARTIST=A",
    "ALBUM=B",
    "DATE=1999",
    "COMMENT=c d",
    "GENRE=Noise",
)


TAGS += ("TRACKNUMBER=7", "COPYRIGHT=me")


STEP = {"PCM_S8": 2**-7, "PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-24}


def noise(samples: int, channels: int = 1, seed: int = 0) -> Pcm:
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.9, 0.9, (samples, channels)).astype(np.float32)


def write(path: Path | str, pcm: Pcm, info: AudioInfo, block: int = 1000, **options: Any) -> None:
    with AudioWriter(str(path), info, **options) as writer:
        for start in range(0, len(pcm), block):
            writer.write(pcm[start : start + block])


def read(path: Path | str, block: int = 777, **options: Any) -> tuple[AudioInfo, Pcm]:
    with AudioReader(str(path), **options) as reader:
        blocks = list(reader.blocks(block))
        assert all(len(pcm) == block for pcm in blocks[:-1])
        return reader.info, np.concatenate(
            [np.zeros((0, reader.info.channels), np.float32), *blocks]
        )


@contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))
    try:
        yield
    finally:
        sys.stdin = before


def read_pipe(data: bytes, block: int = 777) -> tuple[AudioInfo, Pcm]:
    with standard_input(data):
        return read("-", block)


def wav(pcm: Pcm, sample_format: str = "PCM_16", **changes: Any) -> bytes:
    info = AudioInfo(48_000, pcm.shape[1], sample_format, len(pcm))
    return write_header(replace(info, **changes)) + encode_samples(pcm, sample_format)
