"""Bits are divided between codes and envelope corrections without jumps, and fill the bitrate."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import nacli
from fake_model import make_model
from nacli.checkpoint import Model, load_checkpoint
from nacli.encoder.correction_sizes import CorrectionSizes, correction_weight
from nacli.format import fixed_bytes
from nacli.quantizer.allocation import highest_level, packet_counts
from recordings import header_of

MODEL = make_model()
STAGES = MODEL.codebooks.stages
LEVELS = range(highest_level(STAGES) + 1)
TALK = Path(__file__).parents[1] / "data" / "talk.flac"


def test_corrections_weigh_more_where_a_packet_has_few_stages() -> None:
    weights = [correction_weight(level) for level in (0, 16, 24, 32, 255)]
    assert weights == pytest.approx([10, 10, 10**0.5, 1, 1])


def test_the_weight_has_no_jumps() -> None:
    weights = np.array([correction_weight(level) for level in range(256)])
    falls = weights[:-1] / weights[1:]
    assert falls.min() == 1
    assert falls.max() < 1.2


@given(st.lists(st.integers(0, 80), min_size=1, max_size=75))
def test_corrections_never_take_fewer_bits_at_a_higher_level(gains: list[int]) -> None:
    """So the highest level that fits a budget can be found by bisection."""
    sizes, row = CorrectionSizes(MODEL), np.array([gains], dtype=np.int32)
    bits = [sizes.bits(packet_counts(row, (level,), STAGES), level) for level in LEVELS]
    assert (np.diff(bits) >= 0).all()


def test_a_model_without_corrections_has_none_to_predict() -> None:
    books = SimpleNamespace(corrections=None)
    without: Any = SimpleNamespace(**{**vars(MODEL), "codebooks": books})
    assert CorrectionSizes(without).bits(np.full((2, 8), STAGES, np.int32), 32) == 0


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_checkpoint()


@pytest.mark.parametrize("kind", ["speech", "noise"])
def test_the_lowest_bitrate_is_filled(kind: str, shipped: Model) -> None:
    talk, rate = soundfile.read(TALK, dtype="float32")
    noise = np.random.default_rng(0).normal(size=4 * rate) * 0.1
    pcm = {"speech": talk[rate // 2 :], "noise": noise.astype(np.float32)}[kind]
    data = nacli.encode(pcm, rate, bitrate=1.5, model=shipped)
    kbps = (len(data) - fixed_bytes(header_of(data))) * 8 / 1000 / (len(pcm) / rate)
    assert 0.98 * 1.5 < kbps <= 1.5
