"""The learned entropy model is exact: everywhere the same tables, whatever does the sums."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commands import ENVIRONMENT
from learned_model import (
    SIZE,
    STAGES,
    PlainDecoder,
    make_channel,
    make_entries,
    make_learned,
    make_tensors,
)
from nacli.config import GAIN_LEVELS
from nacli.entropy import ChannelCodes, LearnedModel, PacketCodes

MODEL = make_learned()
GOLDEN_TABLES = "690feb09b89e5e0c9e1a6b6e603a35677438b877940dac8a8fb69bde443a8722"
"""SHA-256 of all tables of one channel: it changes only when the format does."""


def read(payload: bytes, frames: list[int], counts: list[np.ndarray]) -> list[np.ndarray]:
    reader = MODEL.open(payload)
    gains = [reader.gains(length) for length in frames]
    pairs = zip(gains, counts, strict=True)
    return [MODEL.pop_codes([reader.coder], [own], [count])[0] for own, count in pairs]


@given(st.integers(0, 1000), st.integers(1, 60), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_what_goes_in_comes_out(seed: int, frames: int, count: int) -> None:
    channels = [make_channel(seed + index, frames) for index in range(count)]
    payload = MODEL.compress(PacketCodes(channels))
    found = read(payload, [frames] * count, [channel.counts for channel in channels])
    for wanted, codes in zip(channels, found, strict=True):
        np.testing.assert_array_equal(codes, wanted.codes)


@given(st.integers(0, 1000), st.lists(st.integers(1, 40), min_size=1, max_size=6))
@example(0, [30] * 64)
@settings(max_examples=30, deadline=None)
def test_payloads_side_by_side_come_out_as_they_do_alone(seed: int, lengths: list[int]) -> None:
    channels = [make_channel(seed + index, frames) for index, frames in enumerate(lengths)]
    readers = [MODEL.open(MODEL.compress(PacketCodes([channel]))) for channel in channels]
    gains = [reader.gains(frames) for reader, frames in zip(readers, lengths, strict=True)]
    coders = [reader.coder for reader in readers]
    found = MODEL.pop_codes(coders, gains, [channel.counts for channel in channels])
    for channel, codes in zip(channels, found, strict=True):
        np.testing.assert_array_equal(codes, channel.codes)


@pytest.mark.parametrize("frames", [1, 2, 75, 700])
def test_the_cost_is_near_what_it_takes(frames: int) -> None:
    coded = [make_channel(frames, frames)]
    taken = len(MODEL.compress(PacketCodes(coded))) * 8
    told = sum(MODEL.side_bits(row) + MODEL.code_bits(row).sum() for row in coded)
    assert abs(taken - told) <= 32 + 0.01 * told


def test_no_codes_at_all() -> None:
    silent = ChannelCodes(*(np.zeros(shape, dtype=np.int32) for shape in (9, (9, STAGES), 9)))
    codes = read(MODEL.compress(PacketCodes([silent])), [9], [silent.counts])
    assert not codes[0].any()


@pytest.mark.parametrize("seed", range(3))
def test_a_plain_integer_decoder_agrees(seed: int) -> None:
    tensors, entries = make_tensors(seed), make_entries(seed)
    channel = make_channel(seed, 21)
    plain = PlainDecoder(tensors, entries)
    payload = LearnedModel(tensors, entries).compress(PacketCodes([channel]))
    np.testing.assert_array_equal(
        plain.decode(payload, channel.gains, channel.counts), channel.codes
    )
    assert all(table.sum() == 1 << 24 and table.min() >= 1 for table in plain.tables)


def test_the_tables_are_those_of_the_plain_decoder() -> None:
    channel = make_channel(5, 40)
    plain = PlainDecoder(make_tensors(), make_entries())
    plain.decode(MODEL.compress(PacketCodes([channel])), channel.gains, channel.counts)
    wanted = hashlib.sha256(b"".join(t.astype("<u4").tobytes() for t in plain.tables))
    assert wanted.hexdigest() == GOLDEN_TABLES
    assert tables_digest(40) == GOLDEN_TABLES


def tables_digest(frames: int) -> str:
    """Of the frequencies as the package makes them, in the order of decoding."""
    channel = make_channel(5, frames)
    found: dict[tuple[int, int], np.ndarray] = {}
    for (part, stages), logits in MODEL._predictions(channel, np.ones(frames, dtype=np.int32)):
        table = MODEL._network.frequencies_less_one(logits) + 1
        keys = zip(part.tolist(), stages.tolist(), strict=True)
        found |= dict(zip(keys, table, strict=True))
    state = hashlib.sha256()
    for key in zip(*(a.tolist() for a in MODEL._order.sequence(channel.counts)), strict=True):
        state.update(found[key].astype("<u4").tobytes())
    return state.hexdigest()


def test_how_many_packets_share_a_product_changes_nothing() -> None:
    """Rows of 64 packets at once, and one by one."""
    random = np.random.default_rng(3)
    network, rows = MODEL._network, 64 * 75
    around = random.integers(-127, 128, (rows, MODEL._sizes["frame_inputs"])).astype(np.float32)
    own = random.integers(-127, 128, (rows, MODEL._sizes["own_inputs"])).astype(np.float32)
    places = random.integers(0, MODEL._sizes["period"], rows)
    stages = np.random.default_rng(4).integers(0, MODEL.shape[0], rows)

    def logits(part: slice, stages: int | np.ndarray) -> np.ndarray:
        sums = network.frame_sums(around[part], places[part])
        return network.logits(network.features(sums, own[part], stages), 2)

    together = logits(slice(None), stages)
    for start in (*range(40), *range(40, rows, 75)):
        part = slice(start, start + (1 if start < 40 else 75))
        one = int(stages[start]) if start < 40 else stages[part]
        np.testing.assert_array_equal(logits(part, one), together[part])


LIMITS = {
    "one thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "AVX2": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "AVX512F"},
    "SSE": {"OPENBLAS_CORETYPE": "Nehalem"},
    "torch's limits": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_every_processor_makes_the_same_tables(limits: dict[str, str]) -> None:
    """At the shipped model's widths, where BLAS splits its sums."""
    done = subprocess.run(
        [sys.executable, __file__],
        env={**ENVIRONMENT, **limits},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == GOLDEN_LARGE


GOLDEN_LARGE = "a7d962e970f171f5c46b152c737c97197342398c292878dfb49dc5712ccf84f4"


def large_digest() -> str:
    """Return the SHA-256 of a payload of a model with 16 stages of 1024 codes."""
    sizes = (16, 1024, 160)
    model = LearnedModel(make_tensors(1, *sizes), make_entries(1, *sizes))
    channel = make_channel(1, 40, 16, 1024)
    payload = model.compress(PacketCodes([channel]))
    reader = model.open(payload)
    [codes] = model.pop_codes([reader.coder], [reader.gains(40)], [channel.counts])
    assert (codes == channel.codes).all()
    return hashlib.sha256(payload).hexdigest()


@given(st.binary(max_size=300), st.integers(0, 10))
@settings(max_examples=40, deadline=None)
def test_random_payloads_give_codes_or_a_value_error(payload: bytes, seed: int) -> None:
    counts = make_channel(seed, 20).counts
    try:
        codes = read(payload, [20], [counts])[0]
    except ValueError:
        return
    assert (codes >= 0).all() and (codes < SIZE).all()


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_damaged_payloads_give_codes_or_a_value_error(place: int, cut: bool) -> None:
    channel = make_channel(8, 30)
    payload = bytearray(MODEL.compress(PacketCodes([channel])))
    payload[place % len(payload)] ^= 1 << place % 8
    try:
        reader = MODEL.open(bytes(payload[: place % len(payload)] if cut else payload))
        gains = reader.gains(30)
        [codes] = MODEL.pop_codes([reader.coder], [gains], [channel.counts])
    except ValueError:
        return
    assert (gains < GAIN_LEVELS).all() and (codes >= 0).all() and (codes < SIZE).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("own_bias", 1 << 24, "exact"),
        ("hidden_bias", -(1 << 24), "exact"),
        ("frame", -128, "exact"),
        ("prior", 1 << 14, None),
        ("shifts", 40, "shift"),
        ("shifts", 0, "shift"),
        ("exp2", 1 << 26, "exp2"),
        ("offsets", 100, "too far"),
        ("multipliers", 65535, None),
    ],
)
def test_what_might_not_be_exact_is_refused(name: str, value: int, message: str | None) -> None:
    tensors = make_tensors()
    tensors[name] = np.full_like(tensors[name], value)
    if message is None:
        LearnedModel(tensors, make_entries())
        return
    with pytest.raises(ValueError, match=message):
        LearnedModel(tensors, make_entries())


def test_sums_as_large_as_they_may_be_stay_exact() -> None:
    """Weights of one sign and full size: the bound says that these pass, int64 that they should."""
    tensors, entries = make_tensors(2), make_entries(2)
    for name in ("frame", "own", "hidden", "last"):
        tensors[name] = np.full_like(tensors[name], 127)
    tensors["shifts"] = np.array([16, 16, 16, 7], dtype=np.uint8)
    channel = make_channel(2, 12)
    payload = LearnedModel(tensors, entries).compress(PacketCodes([channel]))
    plain = PlainDecoder(tensors, entries)
    np.testing.assert_array_equal(
        plain.decode(payload, channel.gains, channel.counts), channel.codes
    )


def test_codebooks_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="codebooks"):
        LearnedModel(make_tensors(), make_entries()[:, :32])


if __name__ == "__main__":
    print(large_digest())
