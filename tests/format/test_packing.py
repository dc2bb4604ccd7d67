"""Headers, packets, end records and seek tables come back as they were written, however the bytes
are cut into calls."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacli.format import (
    ChannelMode,
    EndRecord,
    Header,
    Packet,
    Picture,
    SampleFormat,
    SeekTable,
    StreamInfo,
    TableSection,
    find_packet,
    fixed_bytes,
    pack_end,
    pack_header,
    pack_packet,
    pack_picture,
    packet_cost,
    unpack_picture,
)
from nacli.format.header import (
    SECTION_LIMITS,
    Tag,
    unpack_header,
)
from nacli.format.records import MAX_FRAMES, MAX_SAMPLES, MAX_SEEK_ENTRIES
from nacli.format.wire import Reader, pack_varint
from small_stream import COVER, END, FILE, HEADER, STARTS, STREAM, STREAM_FIELDS, pack_file, parse


@st.composite
def streams(draw: st.DrawFn) -> StreamInfo:
    channels = draw(st.integers(1, 8))
    modes = {1: ChannelMode.MONO, 2: ChannelMode.ROTATED}
    return StreamInfo(
        sample_rate=draw(st.integers(1, 1_536_000)),
        channels=channels,
        channel_mode=draw(
            st.sampled_from([modes.get(channels, ChannelMode.INDEPENDENT), ChannelMode.INDEPENDENT])
        ),
        sample_format=draw(st.sampled_from(SampleFormat)),
        samples=draw(st.none() | st.integers(0, MAX_SAMPLES)),
        hop=draw(st.integers(1, 65_535)),
        frames_per_packet=draw(st.integers(1, MAX_FRAMES)),
        stages=draw(st.integers(1, 64)),
    )


def tables(kinds: int) -> st.SearchStrategy[TableSection]:
    digest = st.binary(min_size=8, max_size=8)
    return st.builds(
        TableSection, digest, st.none() | st.binary(max_size=40), st.integers(0, kinds - 1)
    )


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


PLAIN = st.text("ABC abc/[]}", min_size=1, max_size=9)


U32 = st.integers(0, 2**32 - 1)


PICTURES = st.builds(Picture, U32, PLAIN, TEXTS, U32, U32, U32, U32, st.binary(max_size=40))


HEADERS = st.builds(
    Header,
    streams(),
    st.binary(min_size=8, max_size=8),
    tables(1),
    tables(2),
    st.lists(st.builds("{}={}".format, PLAIN, TEXTS), max_size=3).map(tuple),
    st.none() | PICTURES.map(pack_picture),
)


@st.composite
def file_parts(draw: st.DrawFn) -> tuple[Header, list[Packet], EndRecord]:
    header = draw(HEADERS)
    frames = st.integers(1, header.stream.frames_per_packet)
    frames = st.just(header.stream.frames_per_packet) | frames
    count = header.stream.channels
    levels = st.lists(st.integers(0, 255), min_size=count, max_size=count).map(tuple)
    packet = st.builds(Packet, st.integers(0, 0xFFFF), frames, levels, st.binary(max_size=64))
    seek = st.sets(st.integers(1, 2**40), max_size=4).map(lambda entries: tuple(sorted(entries)))
    end = st.builds(
        EndRecord,
        st.integers(0, MAX_SAMPLES),
        st.integers(0, 2**32 - 1),
        st.binary(min_size=8, max_size=8),
        st.integers(1, 2**32 - 1),
        seek,
    )
    return header, draw(st.lists(packet, max_size=4)), draw(end)


@settings(max_examples=30, deadline=None)
@given(file_parts(), st.data())
def test_a_file_comes_back_however_it_is_cut(
    parts: tuple[Header, list[Packet], EndRecord], data: st.DataObject
) -> None:
    header, packets, end = parts
    packed = pack_file(*parts)
    cuts = data.draw(st.lists(st.integers(0, len(packed)), max_size=8))
    assert parse(packed, *cuts) == [header, *packets, end]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_the_same_events_however_it_is_cut(data: st.DataObject) -> None:
    damaged = bytearray(FILE)
    for at in data.draw(st.lists(st.integers(STARTS[0], len(FILE) - 1), max_size=4)):
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    cuts = data.draw(st.lists(st.integers(0, len(damaged)), max_size=8))
    expected = parse(bytes(damaged))
    assert parse(bytes(damaged), *cuts) == expected
    assert parse(bytes(damaged), *range(len(damaged))) == expected


@settings(deadline=None)
@given(streams())
def test_the_header_of_any_stream_comes_back(stream: StreamInfo) -> None:
    header = replace(HEADER, stream=stream)
    packed = pack_header(header)
    fixed = STARTS[0] - len(b"".join(STREAM_FIELDS.values()))
    assert unpack_header(packed) == header
    assert parse(packed)[0] == header
    assert len(packed) <= fixed + SECTION_LIMITS[Tag.STREAM]


@given(st.integers(0, 2**64 - 1))
def test_varints_come_back(value: int) -> None:
    packed = pack_varint(value)
    assert Reader(packed).varint("value", 2**64 - 1) == value
    assert len(packed) == max(1, (value.bit_length() + 6) // 7)


@pytest.mark.parametrize("packed", [b"\x80\x00", b"\xff\x80\x00", b"\x80" * 100, b"\x81\x01"])
def test_varints_that_are_long_or_too_large_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="shortest form"):
        Reader(packed).varint("value", 128)


@given(st.integers(1, 8), st.integers(0, 300), st.integers(1, 300))
def test_packet_cost_is_the_size_of_the_packet(channels: int, size: int, frames: int) -> None:
    packet = Packet(0, frames, (0,) * channels, bytes(size))
    assert packet_cost(channels, size, frames, 75) == len(pack_packet(packet, 75))


def test_fixed_costs_are_low() -> None:
    rich = replace(HEADER, codebooks=TableSection(b"codebook", b"inline"), tags=("A=1",))
    rich = replace(rich, picture=pack_picture(COVER))
    assert fixed_bytes(rich) == fixed_bytes(HEADER) <= 80
    assert fixed_bytes(HEADER) == len(pack_file(HEADER, [], EndRecord(0, 0, bytes(8))))
    long = replace(HEADER, stream=replace(STREAM, samples=24 * 3600 * 192_000))
    end = EndRecord(24 * 3600 * 192_000, 1, bytes(8))
    assert fixed_bytes(long) == len(pack_file(long, [], end)) <= 90
    assert packet_cost(1, 127, 75, 75) - 127 == 10


@pytest.mark.parametrize("packets", [0, 1, 16, 17, 33, 16 * (MAX_SEEK_ENTRIES + 1) + 1])
def test_the_seek_table_leads_to_its_packets(packets: int) -> None:
    table = SeekTable()
    for index in range(packets):
        table.add(10 + index % 3)
    starts = [10 * index + index // 3 * 3 + (0, 0, 1)[index % 3] for index in range(packets)]
    assert table.packets == packets
    assert len(table.entries) <= MAX_SEEK_ENTRIES
    assert list(table.entries) == starts[table.interval :: table.interval]
    end = EndRecord(0, packets, bytes(8), table.interval, table.entries)
    assert parse(pack_header(HEADER) + pack_end(end))[-1] == end


def test_the_end_record_is_found_from_the_end() -> None:
    length = int.from_bytes(FILE[-8:-6], "little")
    assert FILE[-6:-4] == b"nE"
    assert FILE[-length:] == pack_end(END)


def test_the_largest_end_record_fits_its_length_field() -> None:
    largest = 2**64 - 1
    bare = pack_end(EndRecord(MAX_SAMPLES, 2**32 - 1, bytes(8), 2**32 - 1))
    table = MAX_SEEK_ENTRIES * len(pack_varint(largest))
    assert len(bare) - 1 + len(pack_varint(table)) + table < 2**16
    seek = tuple(range(2**40, 2**40 * (MAX_SEEK_ENTRIES + 1), 2**40))
    end = EndRecord(MAX_SAMPLES, 2**32 - 1, bytes(8), 2**32 - 1, seek)
    packed = pack_end(end)
    assert int.from_bytes(packed[-8:-6], "little") == len(packed)
    assert parse(pack_header(HEADER) + packed)[-1] == end


def test_a_packet_is_found_by_its_number() -> None:
    packets = 40
    sent = [Packet(i, 2, (1,), bytes(i)) for i in range(packets)]
    table, starts = SeekTable(), [STARTS[0]]
    for packet in sent:
        table.add(len(pack_packet(packet, 2)))
        starts.append(starts[-1] + len(pack_packet(packet, 2)))
    data = pack_file(HEADER, sent, EndRecord(1, packets, bytes(8), table.interval, table.entries))
    for wanted in range(packets):
        number = wanted // 16 * 16
        assert find(data, wanted) == (number, starts[number])
    for at in range(starts[-1], len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        assert find(bytes(damaged), packets - 1) == (0, STARTS[0])
    for length in (0, 3, 7, 8, 9, STARTS[0], len(data) - 1):
        assert find(data[:length], packets - 1) == (0, STARTS[0])


def find(data: bytes, packet: int) -> tuple[int, int]:
    return find_packet(io.BytesIO(data), STREAM, STARTS[0], packet)


@settings(deadline=None)
@given(PICTURES)
def test_a_picture_comes_back(picture: Picture) -> None:
    assert unpack_picture(pack_picture(picture)) == picture
    with pytest.raises(ValueError, match="mime"):
        pack_picture(replace(picture, mime="\u00e4"))
