"""Refused arguments, and files that are damaged, forged or made with another model: an error names
the cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fake_model import make_model
from nacli.api import decode, encode
from nacli.decoder.stream import Decoder
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
    pack_end,
    pack_header,
    pack_packet,
    short_digest,
)
from recordings import events, header_of, sound

MODEL = make_model()
LEARNED = make_model(learned=True)
HOP = MODEL.config.hop


@pytest.mark.parametrize("bitrate", [0.0, 1.4, -1, 25, float("nan"), float("inf")])
def test_impossible_bitrates_are_refused(bitrate: float) -> None:
    with pytest.raises(UnsupportedAudio, match="kbps"):
        Encoder(MODEL, 24_000, 1, EncoderSettings(bitrate))


@pytest.mark.parametrize(("channels", "packet_frames"), [(8, 75), (1, 1), (2, 2)])
def test_a_bitrate_that_cannot_be_kept_is_refused(channels: int, packet_frames: int) -> None:
    with pytest.raises(UnsupportedAudio, match="kbps"):
        Encoder(MODEL, 24_000, channels, EncoderSettings(1.5, packet_frames=packet_frames))


def test_a_bitrate_that_no_packet_length_allows_is_refused_without_a_search_for_one() -> None:
    with pytest.raises(UnsupportedAudio, match=r"at 1\.5 kbps, no packets are long enough"):
        Encoder(MODEL, 24_000, 8, EncoderSettings(1.5))


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
def test_pcm_of_another_type_or_shape_is_refused(pcm: Any) -> None:
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


def test_a_model_is_recognized_by_the_start_of_its_digest() -> None:
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
    """The file with `change` applied to its packets and end record; None removes a record."""
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


def test_codes_that_the_encoder_did_not_write_are_noticed() -> None:
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


def test_the_error_gives_the_position_of_damage() -> None:
    data = bytearray(encode(sound(80_000), 24_000, model=MODEL))
    data[len(data) // 2] ^= 1
    with pytest.raises(DamagedPacket, match=r"byte \d+"):
        decode(bytes(data), model=MODEL)


def test_another_entropy_model_is_refused() -> None:
    with pytest.raises(WrongModel, match="entropy"):
        decode(encode(sound(30_000), 24_000, model=LEARNED), model=MODEL)


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros((10, 1), dtype=np.int64),
        np.zeros((10, 2), dtype=np.float32),
        np.full((10, 1), np.nan, dtype=np.float32),
        np.zeros((10, 1, 1), dtype=np.float32),
    ],
)
def test_an_encoder_refuses_samples_that_do_not_fit(pcm: np.ndarray) -> None:
    with pytest.raises(UnsupportedAudio):
        Encoder(make_model(), 24_000, 1).encode(pcm)
