"""Damaged and cut files: the other samples stay where they were, and gaps are reported."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_model import make_model
from filter_network import filter_tensors
from loss import packet_bounds
from nacli.adaptive_filter import FilterNetwork, context
from nacli.api import decode, encode
from nacli.decoder.post_processing import PostProcess
from nacli.decoder.stream import Decoder
from nacli.decoder.timeline import Gap
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.errors import DamagedPacket, NacliError, OutOfRange
from nacli.format.wire import seal
from recordings import pieces, sound

MODEL = make_model()
HOP = MODEL.config.hop
RATE = 24_000
FRAMES = 10
PACKET = FRAMES * HOP


def encoded(samples: int = 15 * PACKET, rate: int = RATE, channels: int = 1) -> bytes:
    return encode(sound(samples, channels), rate, packet_frames=FRAMES, bitrate=12, model=MODEL)


def concealed(data: bytes) -> tuple[np.ndarray, list[Gap]]:
    gaps: list[Gap] = []
    return decode(data, model=MODEL, on_gap=gaps.append)[0], gaps


def far_from(gaps: list[Gap], samples: int) -> np.ndarray:
    """Which samples no gap affects; overlap, resampler and filters spread a gap a little."""
    kept = np.ones(samples, bool)
    for gap in gaps:
        if gap.samples:
            kept[max(0, gap.start - PostProcess.DELAY * HOP) : gap.start + gap.samples + 6200] = (
                False
            )
    return kept


@pytest.mark.parametrize("lost", [[0], [3], [3, 4, 5], [1, 7], [14], [15], [13, 14, 15]])
def test_lost_packets_are_concealed_and_all_other_samples_stay(lost: list[int]) -> None:
    data = encoded()
    whole, _ = decode(data, model=MODEL)
    bounds = packet_bounds(data)
    for number in reversed(lost):
        data = data[: bounds[number][0]] + data[bounds[number][1] :]
    pcm, gaps = concealed(data)
    assert len(pcm) == len(whole)
    kept = far_from(gaps, len(whole))
    np.testing.assert_allclose(pcm[kept], whole[kept], atol=1e-6)
    assert sum(gap.samples for gap in gaps) >= (len(lost) - 1) * PACKET
    for gap in gaps:
        assert any(abs(gap.start - (n * PACKET - HOP)) <= HOP for n in lost)
        assert "missing" in gap.reason
    with pytest.raises(DamagedPacket, match="missing"):
        decode(data, model=MODEL)


def test_every_flipped_byte_after_the_header_costs_one_packet_at_most() -> None:
    data = encoded(3 * PACKET)
    whole, _ = decode(data, model=MODEL)
    start = packet_bounds(data)[0][0]
    for at in range(start, len(data)):
        damaged = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        pcm, gaps = concealed(damaged)
        assert len(pcm) == len(whole) and len(gaps) == 1
        assert gaps[0].samples <= PACKET and "byte" in gaps[0].reason
        kept = far_from(gaps, len(whole))
        np.testing.assert_allclose(pcm[kept], whole[kept], atol=1e-6)


def test_every_truncation_decodes_to_its_last_good_packet() -> None:
    data = encoded(3 * PACKET)
    whole, _ = decode(data, model=MODEL)
    bounds = packet_bounds(data)
    for length in range(bounds[0][0], len(data)):
        there = sum(stop <= length for _, stop in bounds)
        pcm, gaps = concealed(data[:length])
        frames = min(there * FRAMES, 3 * FRAMES + 1)
        assert len(pcm) == max(0, frames - 1) * HOP
        kept = max(0, len(pcm) - PostProcess.DELAY * HOP)  # later samples would change them
        np.testing.assert_allclose(pcm[:kept], whole[:kept], atol=1e-6)
        np.testing.assert_allclose(pcm[kept:], whole[kept : len(pcm)], atol=0.01)
        assert len(gaps) == 1 and "end" in gaps[0].reason
        assert (gaps[0].start, gaps[0].samples) == (len(pcm), len(whole) - len(pcm))
        assert gaps[0].at_end == (len(pcm) < len(whole))


def cut(data: bytes, packets: int) -> bytes:
    """The file up to the middle of the packet that follows `packets` packets."""
    start, stop = packet_bounds(data)[packets]
    return data[: (start + stop) // 2]


def test_a_cut_file_is_reported_with_the_missing_length() -> None:
    data = cut(encoded(), 6)
    pcm, [gap] = concealed(data)
    lost = f"{(15 * PACKET - len(pcm)) / RATE:.3f} s"
    assert str(gap).startswith(f"at {len(pcm) / RATE:.3f} s, {lost} missing at the end: damaged")
    with pytest.raises(DamagedPacket, match=rf"; {lost} of 2\.000 s are missing"):
        decode(data, model=MODEL)
    gaps: list[Gap] = []
    part, _ = decode(data, model=MODEL, start=0.5, stop=1.5, on_gap=gaps.append)
    assert [(gap.start, gap.samples) for gap in gaps] == [(len(pcm), 1.5 * RATE - len(pcm))]
    assert len(part) == len(pcm) - RATE // 2
    with pytest.raises(OutOfRange, match=r"cut at 0\.787 s of 2\.000 s"):
        decode(data, model=MODEL, start=1, on_gap=gaps.append)
    assert len(gaps) == 1


def test_a_cut_file_of_unknown_length_says_that_it_is_unknown() -> None:
    encoder = Encoder(MODEL, RATE, 1, EncoderSettings(12, packet_frames=FRAMES))
    data = encoder.encode(sound(15 * PACKET)) + encoder.finish()
    pcm, [gap] = concealed(cut(data, 6))
    assert (gap.start, gap.samples, gap.at_end) == (len(pcm), 0, True)
    assert "the file was cut, and its full length is unknown: damaged" in str(gap)


def test_a_second_file_after_the_first_is_reported_and_not_decoded() -> None:
    data, other = encoded(), encode(sound(20 * PACKET, seed=9), RATE, model=MODEL)
    whole, _ = decode(data, model=MODEL)
    pcm, [gap] = concealed(data + other)
    np.testing.assert_array_equal(pcm, whole)
    assert gap.unread == len(other)
    text = f"at 2.000 s, {len(other)} bytes not decoded: another .nac file begins here, at byte"
    assert str(gap) == f"{text} {len(data)}"
    first = cut(data, 6)
    pcm, gaps = concealed(first + other)
    np.testing.assert_array_equal(pcm, concealed(first)[0])
    assert [(gap.at_end, gap.unread) for gap in gaps] == [(True, 0), (False, len(other))]
    with pytest.raises(DamagedPacket, match="another"):
        decode(data + other, model=MODEL)


def rate_of(data: bytes, **part: str) -> float:
    decoder = Decoder(MODEL, on_gap=lambda gap: None, **part)
    decoder.decode(data)
    decoder.finish()
    return decoder.kbps


def test_the_bitrate_is_that_of_the_decoded_audio() -> None:
    """Tags do not count, and a section has the bitrate of its packets."""
    data = encoded()
    tagged = encode(sound(15 * PACKET), RATE, packet_frames=FRAMES, bitrate=12, model=MODEL,
                    tags=["LYRICS=" + 9999 * "la "])  # fmt: skip
    bounds = packet_bounds(data)
    whole = (len(data) - bounds[0][0]) * 8 / 1000 / 2
    assert rate_of(data) == rate_of(tagged) == pytest.approx(whole)
    assert rate_of(data, start="0.5", stop="0.6") == pytest.approx(whole, rel=0.3)
    there = (bounds[5][1] - bounds[0][0]) * 8 / 1000 / ((6 * FRAMES - 1) * HOP / RATE)
    assert rate_of(cut(data, 6)) == pytest.approx(there)
    assert rate_of(encoded(0)) == 0


def test_garbage_between_packets_costs_nothing() -> None:
    data = encoded()
    whole, _ = decode(data, model=MODEL)
    at = packet_bounds(data)[4][0]
    pcm, gaps = concealed(data[:at] + b"garbage" * 9 + data[at:])
    np.testing.assert_array_equal(pcm, whole)
    assert [gap.samples for gap in gaps] == [0]


def test_a_repeated_or_late_packet_is_left_out() -> None:
    data = encoded()
    whole, _ = decode(data, model=MODEL)
    bounds = packet_bounds(data)
    third = data[slice(*bounds[2])]
    pcm, gaps = concealed(data[: bounds[7][0]] + third + data[bounds[7][0] :])
    np.testing.assert_array_equal(pcm, whole)
    assert len(gaps) == 1 and "order" in gaps[0].reason


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    st.lists(st.integers(0, 10**6), max_size=6),
    st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=60)
def test_any_damage_gives_sound_or_one_clear_error(
    flips: list[tuple[int, int]], cuts: list[int], length: int
) -> None:
    """Any way of cutting the damaged bytes gives the same output, which is never too long."""
    data = bytearray(encoded(5 * PACKET, 16_000, 2))
    for at, value in flips:
        data[at % len(data)] = value
    damaged = bytes(data[: length % (2 * len(data))])
    try:
        whole, gaps = concealed(damaged)
    except NacliError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert len(whole) <= 5 * PACKET and np.abs(whole).max(initial=0) <= 1
    again: list[Gap] = []
    decoder = Decoder(MODEL, on_gap=again.append)
    made = [pcm for piece in pieces(damaged, cuts) if len(pcm := decoder.decode(piece))]
    np.testing.assert_array_equal(np.concatenate([*made, decoder.finish()]), whole)
    assert again == gaps


def test_any_section_equals_that_section_of_the_whole_with_an_adaptive_filter() -> None:
    model, file = make_model(), long_file(RATE)[0]
    model.filter_network = FilterNetwork(filter_tensors(model.config.width))
    whole, _ = decode(file, model=model)
    assert np.abs(whole - long_file(RATE)[1]).max() > 0.05
    for start in (FRAMES * HOP * 25 + offset for offset in (*range(-9, 9, 3), HOP, 2 * HOP)):
        part, _ = decode(file, model=model, start=f"{start}smp", stop=f"{start + 5 * PACKET}smp")
        np.testing.assert_allclose(part, whole[start : start + 5 * PACKET], rtol=0, atol=2e-6)


def test_an_adaptive_filter_keeps_silence_and_damage_stays_in_its_place() -> None:
    model, data = make_model(), long_file(RATE)[0]
    model.filter_network = FilterNetwork(filter_tensors(model.config.width))
    whole, _ = decode(data, model=model)
    (first, _), (_, last) = packet_bounds(data)[10], packet_bounds(data)[19]
    gaps: list[Gap] = []
    pcm, _ = decode(data[:first] + data[last:], model=model, on_gap=gaps.append)
    assert len(pcm) == len(whole) and len(gaps) == 1
    start, stop = gaps[0].start, gaps[0].start + gaps[0].samples
    faded, settled = start + 20 * HOP, (context(model.filter_network) + 20) * HOP
    assert not pcm[faded : stop - 10 * HOP].any()
    np.testing.assert_allclose(pcm[: start - 10 * HOP], whole[: start - 10 * HOP], atol=1e-6)
    np.testing.assert_allclose(pcm[stop + settled :], whole[stop + settled :], atol=2e-6)


@cache
def long_file(rate: int) -> tuple[bytes, np.ndarray]:
    file = encode(sound(7 * rate + 77, 2), rate, packet_frames=FRAMES, model=MODEL)
    return file, decode(file, model=MODEL)[0]


@pytest.mark.parametrize("rate", [24_000, 8_000, 44_100])
@given(st.data())
@settings(deadline=None, max_examples=30)
def test_any_section_equals_that_section_of_the_whole(rate: int, data: st.DataObject) -> None:
    file, whole = long_file(rate)
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.none() | st.integers(start + 1, len(whole) + 1000))
    end = None if stop is None else f"{stop}smp"
    part, _ = decode(file, model=MODEL, start=f"{start}smp", stop=end)
    np.testing.assert_array_equal(part, whole[start:stop])


@pytest.mark.parametrize(("start", "stop"), [(0.7, None), (5, 6), (0.2, 0.2)])
def test_a_section_after_the_end_is_an_error(start: float, stop: float | None) -> None:
    with pytest.raises(OutOfRange):
        decode(encoded(RATE // 2), model=MODEL, start=start, stop=stop)


def test_gaps_outside_the_section_are_not_reported() -> None:
    data = encoded()
    whole, _ = decode(data, model=MODEL)
    bounds = packet_bounds(data)
    data = data[: bounds[1][0]] + data[bounds[1][1] :]
    gaps: list[Gap] = []
    part, _ = decode(data, model=MODEL, start="40000smp", on_gap=gaps.append)
    np.testing.assert_array_equal(part, whole[40_000:])
    assert not gaps


def test_a_crafted_sequence_number_does_not_give_days_of_silence() -> None:
    data = encoded()
    start, stop = packet_bounds(data)[3]
    packet = bytearray(data[start : stop - 4])
    packet[2:4] = (0x7F00).to_bytes(2, "little")  # its sequence number: 1.2 hours ahead
    pcm, gaps = concealed(data[:start] + seal(bytes(packet)) + data[stop:])
    assert len(pcm) == 15 * PACKET
    assert len(gaps) == 1 and "more sound is missing" in gaps[0].reason
