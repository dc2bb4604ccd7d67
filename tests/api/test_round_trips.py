"""The codec around a torch-free model: exact lengths, chunk-exactness, the promised bitrate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_model import make_model
from nacli.api import decode, encode
from nacli.decoder.stream import Decoder
from nacli.decoder.synthesis import NETWORK_FRAMES
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.errors import (
    DamagedHeader,
    DamagedPacket,
    Mismatch,
    NacliError,
    NotNac,
    UnknownVersion,
    UnsupportedAudio,
    WrongModel,
)
from nacli.format import (
    EndRecord,
    Event,
    Header,
    Packet,
    fixed_bytes,
    pack_end,
    pack_header,
    pack_packet,
    short_digest,
)
from nacli.quantizer.allocation import packet_counts
from recordings import events, header_of, pieces, sound

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


def test_few_bytes_of_silence_come_as_small_blocks() -> None:
    data = encode(np.zeros((20 * 24_000, 1), np.float32), 24_000, packet_frames=750, model=MODEL)
    decoder = Decoder(MODEL)
    blocks = [*decoder.blocks(data), decoder.finish()]
    assert sum(map(len, blocks)) == 20 * 24_000
    assert max(map(len, blocks)) <= NETWORK_FRAMES * HOP


def test_packets_come_while_the_input_still_runs() -> None:
    encoder, decoder = Encoder(MODEL, 48_000, 1, EncoderSettings(packet_frames=3)), Decoder(MODEL)
    heard = 0
    for _ in range(50):
        heard += len(decoder.decode(encoder.encode(sound(1920))))
    assert heard > 40 * 1920


@pytest.mark.parametrize("model", [MODEL, LEARNED], ids=["tables", "learned"])
@pytest.mark.parametrize(
    ("channels", "bitrate"), [(1, 1.5), (2, 1.5), (2, 2), (2, None), (4, 3), (8, 6), (8, 24)]
)
@pytest.mark.parametrize("seconds", [1.1, 2.0, 7.3])
def test_the_bitrate_is_a_promise(
    channels: int, bitrate: float | None, seconds: float, model: Any
) -> None:
    pcm = sound(int(seconds * 24_000), channels)
    data = encode(pcm, 24_000, bitrate=bitrate, model=model)
    variable = len(data) - fixed_bytes(header_of(data))
    assert variable * 8 / 1000 / seconds <= (bitrate or 10)


@pytest.mark.parametrize("model", [MODEL, LEARNED], ids=["tables", "learned"])
def test_bits_are_used_where_they_are_allowed(model: Any) -> None:
    sizes = [len(encode(sound(96_000, 2), 24_000, bitrate=k, model=model)) for k in (1.5, 2, 2.5)]
    assert sizes[0] > 0.9 * 1.5 * 500
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("bitrate", [0.0, 1.4, -1, 25, float("nan"), float("inf")])
def test_impossible_bitrates_are_refused(bitrate: float) -> None:
    with pytest.raises(UnsupportedAudio, match="kbps"):
        Encoder(MODEL, 24_000, 1, EncoderSettings(bitrate))


@pytest.mark.parametrize(("channels", "packet_frames"), [(8, 75), (1, 1), (2, 2)])
def test_a_bitrate_that_cannot_be_kept_is_refused(channels: int, packet_frames: int) -> None:
    with pytest.raises(UnsupportedAudio, match="kbps"):
        Encoder(MODEL, 24_000, channels, EncoderSettings(1.5, packet_frames=packet_frames))


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


def test_noise_at_full_scale_is_held_to_full_scale() -> None:
    noise = np.sign(np.random.default_rng(0).normal(size=(24_000, 1))).astype(np.float32)
    pcm, _ = decode(encode(noise * 4, 24_000, model=MODEL), model=MODEL)
    assert np.isfinite(pcm).all()
    assert np.abs(pcm).max() <= 1


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros((10, 1), np.int64),
        np.zeros((2, 2, 2), np.float32),
        np.full((10, 1), np.nan, np.float32),
        np.zeros((10, 9), np.float32),
        np.zeros((10, 0), np.float32),
    ],
)
def test_pcm_of_another_kind_is_refused(pcm: Any) -> None:
    with pytest.raises(UnsupportedAudio):
        encode(pcm, 24_000, model=MODEL)


@pytest.mark.parametrize("sample_rate", [0, 7_999, 192_001])
def test_sample_rates_out_of_range_are_refused(sample_rate: int) -> None:
    with pytest.raises(UnsupportedAudio):
        encode(sound(10), sample_rate, model=MODEL)


def test_another_model_is_refused() -> None:
    data = encode(sound(1000), 24_000, model=MODEL)
    with pytest.raises(WrongModel):
        decode(data, model=make_model(digest=b"another"))


def test_a_model_is_told_by_the_start_of_its_digest() -> None:
    data = encode(sound(1000), 24_000, model=MODEL)
    digest = MODEL.digest
    assert header_of(data).model == short_digest(digest) == digest[:8]
    same, other = make_model(), make_model()
    same.digest = digest[:8] + bytes(24)
    other.digest = digest[:7] + bytes([digest[7] ^ 1]) + digest[8:]
    np.testing.assert_array_equal(decode(data, model=same)[0], decode(data, model=MODEL)[0])
    with pytest.raises(WrongModel, match=f"{digest[:8].hex()}, .* {other.digest[:8].hex()}$"):
        decode(data, model=other)


def test_other_tables_are_refused() -> None:
    data = encode(sound(1000), 24_000, model=MODEL)
    with pytest.raises(WrongModel):
        decode(data, model=make_model(seed=1))


@pytest.mark.parametrize("section", ["codebooks", "entropy"])
def test_a_file_with_tables_of_its_own_is_refused_by_name(section: str) -> None:
    header = header_of(encode(sound(1000), 24_000, model=MODEL))
    inline = replace(getattr(header, section), inline=b"tables")
    with pytest.raises(UnknownVersion, match="tables embedded"):
        Decoder(MODEL).decode(pack_header(replace(header, **{section: inline})))


def test_every_byte_that_changes_is_noticed() -> None:
    data = encode(sound(30_000), 24_000, model=MODEL)
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        with pytest.raises(NacliError):
            decode(damaged, model=MODEL)


def test_every_truncation_is_noticed() -> None:
    data = encode(sound(30_000), 24_000, model=MODEL)
    for length in range(len(data)):
        with pytest.raises((NotNac, DamagedHeader, DamagedPacket)):
            decode(data[:length], model=MODEL)


def rewritten(data: bytes, change: Any) -> bytes:
    """The file with its packets and end record replaced by what `change` makes of them."""
    header, *records = events(data)
    assert isinstance(header, Header)
    start = data.index(b"\xac\xe0")
    changed = [change(record) for record in records]
    frames = header.stream.frames_per_packet
    return data[:start] + b"".join(
        pack_end(record) if isinstance(record, EndRecord) else pack_packet(record, frames)
        for record in changed
        if record is not None
    )


def test_a_packet_that_is_left_out_is_noticed() -> None:
    data = encode(sound(80_000), 24_000, model=MODEL)

    def without_second(record: Event) -> Event | None:
        return None if isinstance(record, Packet) and record.sequence == 1 else record

    assert rewritten(data, lambda record: record) == data
    with pytest.raises(DamagedPacket, match="missing"):
        decode(rewritten(data, without_second), model=MODEL)


def test_codes_that_are_not_the_encoders_are_noticed() -> None:
    data = encode(sound(80_000), 24_000, model=MODEL)

    def other_payload(record: Event) -> Event:
        if isinstance(record, Packet) and record.sequence == 1:
            return replace(record, payload=record.payload[::-1])
        return record

    with pytest.raises((Mismatch, DamagedPacket)):
        decode(rewritten(data, other_payload), model=MODEL)


@pytest.mark.parametrize("samples", [0, 1, 79_000, 80_400, 2**62])
def test_an_end_record_with_another_length_is_refused(samples: int) -> None:
    data = encode(sound(80_000), 24_000, model=MODEL)

    def other_length(record: Event) -> Event:
        return replace(record, samples=samples) if isinstance(record, EndRecord) else record

    with pytest.raises(DamagedPacket):
        decode(rewritten(data, other_length), model=MODEL)


def test_damage_is_named_with_its_place() -> None:
    data = bytearray(encode(sound(80_000), 24_000, model=MODEL))
    data[len(data) // 2] ^= 1
    with pytest.raises(DamagedPacket, match=r"byte \d+"):
        decode(bytes(data), model=MODEL)


def test_tags_and_sample_format_are_in_the_header() -> None:
    data = encode(sound(10), 24_000, tags=["TITLE=a"], sample_format="PCM_24", model=MODEL)
    header = header_of(data)
    assert header.tags == ("TITLE=a",)
    assert header.stream.sample_format.name == "PCM_24"
    assert header.stream.samples == 10


@pytest.mark.parametrize("packet_frames", [7, 75, 600])
def test_a_file_with_a_learned_model(packet_frames: int) -> None:
    pcm = sound(50_503, 2)
    data = encode(pcm, 24_000, model=LEARNED, packet_frames=packet_frames)
    assert header_of(data).entropy.kind == LEARNED.entropy.KIND == 1
    found, _ = decode(data, model=LEARNED)  # the end record's digest says whether all codes fit
    assert found.shape == pcm.shape
    by_tables, _ = decode(encode(pcm, 24_000, model=MODEL, bitrate=24), model=MODEL)
    learned, _ = decode(encode(pcm, 24_000, model=LEARNED, bitrate=24), model=LEARNED)
    np.testing.assert_array_equal(learned, by_tables)  # every stage of every frame


def test_another_entropy_model_is_refused() -> None:
    with pytest.raises(WrongModel, match="entropy"):
        decode(encode(sound(30_000), 24_000, model=LEARNED), model=MODEL)


def test_stage_counts_follow_from_gains_and_levels() -> None:
    gains = np.array([[60, 30, 0]], dtype=np.int32)
    np.testing.assert_array_equal(packet_counts(gains, (255,), 4), [[4, 4, 0]])
    assert packet_counts(gains, (0,), 4).max() == 0
    assert HOP == 320


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros((10, 1), dtype=np.int64),
        np.zeros((10, 2), dtype=np.float32),
        np.full((10, 1), np.nan, dtype=np.float32),
        np.zeros((10, 1, 1), dtype=np.float32),
    ],
)
def test_a_stream_refuses_samples_that_do_not_fit(pcm: np.ndarray) -> None:
    with pytest.raises(UnsupportedAudio):
        Encoder(make_model(), 24_000, 1).encode(pcm)
