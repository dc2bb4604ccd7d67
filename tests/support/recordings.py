"""Recordings for the fake model, and readers of the files that are made of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from nacli.format import Event, Header, Parser
from nacli.types import Pcm


def sound(samples: int, channels: int = 1, seed: int = 1) -> Pcm:
    """Noise that is smooth enough for the fake transform, with loud and quiet passages."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(samples // 40 + 2, channels)) * 0.1
    level = 10 ** random.uniform(-2, 0, size=(samples // 2000 + 1, 1))
    return (coarse.repeat(40, 0)[:samples] * level.repeat(2000, 0)[:samples]).astype(np.float32)


def events(data: bytes) -> list[Event]:
    """The header, packets and end record of a file."""
    parser = Parser()
    return [*parser.feed(data), *parser.finish()]


def header_of(data: bytes) -> Header:
    header = events(data)[0]
    assert isinstance(header, Header)
    return header


def pieces(whole: Any, cuts: list[int]) -> list[Any]:
    """A sequence cut at these positions, modulo its length."""
    bounds = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    return [whole[start:end] for start, end in pairwise(bounds)]
