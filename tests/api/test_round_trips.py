"""Round trips with a torch-free model: exact lengths, blocks of any size, and the bitrate kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_model import make_model
from nacli.api import decode, encode
from nacli.decoder.network_decoder import NETWORK_FRAMES
from nacli.decoder.stream import Decoder
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.format import (
    fixed_bytes,
)
from nacli.quantizer.allocation import packet_counts
from recordings import header_of, pieces, sound

MODEL = make_model()
LEARNED = make_model(learned=True)
HOP = MODEL.config.hop
SIZES = [0, 1, 2, 319, 320, 321, 24_000, 24_001, 50_503]


@pytest.mark.parametrize("samples", SIZES)
@pytest.mark.parametrize("channels", [1, 2])
def test_length_is_exact(samples: int, channels: int) -> None:
    pcm, rate = decode(encode(sound(samples, channels), 24_000, model=MODEL), model=MODEL)
    assert (pcm.shape, rate) == ((samples, channels), 24_000)
    assert pcm.dtype == np.float32


@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 44_100, 48_000, 96_001, 192_000])
@pytest.mark.parametrize("samples", [0, 1, 2, 321, 30_011])
def test_length_is_exact_at_other_rates(sample_rate: int, samples: int) -> None:
    pcm, rate = decode(encode(sound(samples, 2), sample_rate, model=MODEL), model=MODEL)
    assert (pcm.shape, rate) == ((samples, 2), sample_rate)


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_stay_apart(channels: int) -> None:
    original = sound(24_000, channels)
    pcm, _ = decode(encode(original, 24_000, bitrate=12, model=MODEL), model=MODEL)
    similar = np.corrcoef(original.T, pcm.T)[:channels, channels:]
    assert (similar.argmax(1) == np.arange(channels)).all()
    assert similar.diagonal().min() > 0.8


@pytest.mark.parametrize("how", [{"bitrate": 4.0}, {"quality": 5.0}])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_model_without_envelope_corrections(channels: int, how: dict[str, float]) -> None:
    model, original = make_model(corrected=False), sound(60_000, channels)
    data = encode(original, 24_000, packet_frames=50, model=model, **how)
    pcm, _ = decode(data, model=model)
    similar = np.corrcoef(original.T, pcm.T)[:channels, channels:]
    assert similar.diagonal().min() > 0.8


def test_one_dimension_is_mono() -> None:
    pcm = sound(1000)
    assert encode(pcm[:, 0], 24_000, model=MODEL) == encode(pcm, 24_000, model=MODEL)
    assert encode(pcm.astype(np.float64), 24_000, model=MODEL) == encode(pcm, 24_000, model=MODEL)


@pytest.mark.parametrize("sample_rate", [24_000, 44_100])
@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(0, 10**6), max_size=12), seed=st.integers(0, 3))
def test_any_cutting_of_pcm_gives_the_same_bytes(
    sample_rate: int, cuts: list[int], seed: int
) -> None:
    pcm = sound(60_000 + seed, 2, seed)
    encoder = Encoder(MODEL, sample_rate, 2, samples=len(pcm))
    made = [encoder.encode(piece) for piece in pieces(pcm, cuts)]
    assert b"".join([*made, encoder.finish()]) == encode(pcm, sample_rate, model=MODEL)


@pytest.mark.parametrize("sample_rate", [24_000, 44_100])
@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(0, 10**6), max_size=12), seed=st.integers(0, 3))
def test_any_cutting_of_bytes_gives_the_same_samples(
    sample_rate: int, cuts: list[int], seed: int
) -> None:
    data = encode(sound(60_000 + seed, 2, seed), sample_rate, model=MODEL)
    decoder = Decoder(MODEL)
    made = [decoder.decode(piece) for piece in pieces(data, cuts)]
    pcm = np.concatenate([piece for piece in made if len(piece)] + [decoder.finish()])
    np.testing.assert_array_equal(pcm, decode(data, model=MODEL)[0])


def test_long_silence_is_decoded_in_small_blocks() -> None:
    data = encode(np.zeros((20 * 24_000, 1), np.float32), 24_000, packet_frames=750, model=MODEL)
    decoder = Decoder(MODEL)
    blocks = [*decoder.blocks(data), decoder.finish()]
    assert sum(map(len, blocks)) == 20 * 24_000
    assert max(map(len, blocks)) <= NETWORK_FRAMES * HOP


def test_samples_are_decoded_while_the_input_still_runs() -> None:
    encoder, decoder = Encoder(MODEL, 48_000, 1, EncoderSettings(packet_frames=3)), Decoder(MODEL)
    decoded = 0
    for _ in range(50):
        decoded += len(decoder.decode(encoder.encode(sound(1920))))
    assert decoded > 40 * 1920


@pytest.mark.parametrize("model", [MODEL, LEARNED], ids=["tables", "learned"])
@pytest.mark.parametrize(
    ("channels", "bitrate"), [(1, 1.5), (2, 1.5), (2, 2), (2, None), (4, 3), (8, 6), (8, 24)]
)
@pytest.mark.parametrize("seconds", [1.1, 2.0, 7.3])
def test_the_bitrate_is_never_exceeded(
    channels: int, bitrate: float | None, seconds: float, model: Any
) -> None:
    pcm = sound(int(seconds * 24_000), channels)
    data = encode(pcm, 24_000, bitrate=bitrate, model=model)
    variable = len(data) - fixed_bytes(header_of(data))
    assert variable * 8 / 1000 / seconds <= (bitrate or 10)


@pytest.mark.parametrize("model", [MODEL, LEARNED], ids=["tables", "learned"])
def test_most_of_the_bitrate_is_used(model: Any) -> None:
    sizes = [len(encode(sound(96_000, 2), 24_000, bitrate=k, model=model)) for k in (1.5, 2, 2.5)]
    assert sizes[0] > 0.9 * 1.5 * 500
    assert sizes[0] < sizes[1] < sizes[2]


def test_the_fixed_cost_is_small() -> None:
    assert fixed_bytes(header_of(encode(sound(0), 24_000, model=MODEL))) <= 80


def test_equal_stereo_channels_cost_next_to_nothing() -> None:
    mono = sound(96_000)
    one = len(encode(mono, 24_000, bitrate=6, model=MODEL))
    two = len(encode(np.hstack([mono, mono]), 24_000, bitrate=6, model=MODEL))
    assert two < 1.05 * one
    pcm, _ = decode(encode(np.hstack([mono, mono]), 24_000, model=MODEL), model=MODEL)
    np.testing.assert_array_equal(pcm[:, 0], pcm[:, 1])


@pytest.mark.parametrize("sample_rate", [24_000, 44_100])
def test_silence_stays_silence(sample_rate: int) -> None:
    data = encode(np.zeros((200_000, 1), np.float32), sample_rate, model=MODEL)
    assert len(data) * 8 / 1000 / (200_000 / sample_rate) < 0.5
    assert not decode(data, model=MODEL)[0].any()


def test_output_is_clipped_to_full_scale() -> None:
    noise = np.sign(np.random.default_rng(0).normal(size=(24_000, 1))).astype(np.float32)
    pcm, _ = decode(encode(noise * 4, 24_000, model=MODEL), model=MODEL)
    assert np.isfinite(pcm).all()
    assert np.abs(pcm).max() <= 1


def test_tags_and_sample_format_are_in_the_header() -> None:
    data = encode(sound(10), 24_000, tags=["TITLE=a"], sample_format="PCM_24", model=MODEL)
    header = header_of(data)
    assert header.tags == ("TITLE=a",)
    assert header.stream.sample_format.name == "PCM_24"
    assert header.stream.samples == 10


@pytest.mark.parametrize("packet_frames", [7, 75, 600])
def test_round_trip_with_a_learned_entropy_model(packet_frames: int) -> None:
    pcm = sound(50_503, 2)
    data = encode(pcm, 24_000, model=LEARNED, packet_frames=packet_frames)
    assert header_of(data).entropy.kind == LEARNED.entropy.KIND == 1
    decoded, _ = decode(data, model=LEARNED)  # checks all codes by the end record's digest
    assert decoded.shape == pcm.shape
    by_tables, _ = decode(encode(pcm, 24_000, model=MODEL, bitrate=24), model=MODEL)
    learned, _ = decode(encode(pcm, 24_000, model=LEARNED, bitrate=24), model=LEARNED)
    np.testing.assert_array_equal(learned, by_tables)  # every stage of every frame


def test_stage_counts_follow_from_gains_and_levels() -> None:
    gains = np.array([[60, 30, 0]], dtype=np.int32)
    np.testing.assert_array_equal(packet_counts(gains, (255,), 4), [[4, 4, 0]])
    assert packet_counts(gains, (0,), 4).max() == 0
    assert HOP == 320
