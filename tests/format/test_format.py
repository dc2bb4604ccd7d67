"""The format: round trips, any cutting, damage anywhere, limits, and the example of FORMAT.md."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacli.errors import DamagedHeader, NacliError, NotNac, UnknownVersion
from nacli.format import (
    JOINED,
    ChannelMode,
    Damage,
    EndRecord,
    Event,
    Header,
    Packet,
    Parser,
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
    MAGIC,
    MAX_HEADER_BYTES,
    MAX_SECTION_BYTES,
    SECTION_LIMITS,
    VERSION,
    Tag,
    pack_section,
    seal_sections,
    unpack_header,
)
from nacli.format.records import MAX_FRAMES, MAX_PAYLOAD_BYTES, MAX_SAMPLES, MAX_SEEK_ENTRIES
from nacli.format.wire import CRC_BYTES, Reader, pack_varint, seal

STREAM = StreamInfo(24_000, 1, ChannelMode.MONO, SampleFormat.PCM_16, None, 320, 2, 16)
HEADER = Header(STREAM, bytes(range(8)), TableSection(b"codebook"), TableSection(b"entropy."))
PACKETS = [
    Packet(0, 2, (7,), b"\x11\x22\x33"),
    Packet(1, 2, (0,), b""),
    Packet(2, 2, (9,), bytes(range(100, 140))),
    Packet(3, 1, (5,), b"\xac\xe0\x00\x00\x00\x00"),
]
COVER = Picture(3, "image/png", "Ü", 8, 9, 24, 0, b"data")
END = EndRecord(1000, len(PACKETS), b"checksum")


def pack_file(header: Header, packets: list[Packet], end: EndRecord) -> bytes:
    framed = (pack_packet(packet, header.stream.frames_per_packet) for packet in packets)
    return pack_header(header) + b"".join(framed) + pack_end(end)


FILE = pack_file(HEADER, PACKETS, END)
STARTS = [len(pack_header(HEADER))]
for _packet in PACKETS:
    STARTS.append(STARTS[-1] + len(pack_packet(_packet, STREAM.frames_per_packet)))


def parse(data: bytes, *cuts: int) -> list[Event]:
    parser = Parser()
    events: list[Event] = []
    for start, stop in pairwise((0, *sorted(cuts), len(data))):
        events += parser.feed(data[start:stop])
    return [*events, *parser.finish()]


STREAM_FIELDS = {
    "sample_rate": b"\xc0\xbb\x01",
    "channels": b"\x01",
    "mode and format": b"\x30",
    "samples": b"\x00",
    "hop": b"\xc0\x02",
    "frames_per_packet": b"\x02",
    "stages": b"\x10",
}
"""The STREAM section of the small file, for tests that make others of it."""
SECTIONS = {
    Tag.STREAM: pack_section(Tag.STREAM, b"".join(STREAM_FIELDS.values())),
    Tag.MODEL: pack_section(Tag.MODEL, HEADER.model),
    Tag.CODEBOOKS: pack_section(Tag.CODEBOOKS, b"\x00codebook"),
    Tag.ENTROPY: pack_section(Tag.ENTROPY, b"\x00entropy."),
}
"""Its whole header, likewise."""


def with_sections(*sections: bytes) -> bytes:
    """The small file with these sections in its header, and a CRC that holds."""
    return seal_sections(b"".join(sections)) + FILE[STARTS[0] :]


def with_body(tag: Tag, body: bytes) -> bytes:
    """The small file with this body in one of its sections, or in one more."""
    return with_sections(*(SECTIONS | {tag: pack_section(tag, body)}).values())


# Round trips.


@st.composite
def streams(draw: st.DrawFn) -> StreamInfo:
    channels = draw(st.integers(1, 8))
    modes = {1: ChannelMode.MONO, 2: ChannelMode.MID_SIDE}
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


# Sizes that the rate control and the issue count on.


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


# Damage.


def owner(offset: int) -> int:
    """Index of the packet that holds the byte at `offset`; past the last: the end record."""
    return sum(start <= offset for start in STARTS) - 1


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_costs_no_more_than_its_record(mask: int) -> None:
    for at in range(len(FILE)):
        damaged = bytearray(FILE)
        damaged[at] ^= mask
        if at < STARTS[0]:
            with pytest.raises(NacliError):
                parse(bytes(damaged))
            continue
        records: list[Event] = [HEADER, *PACKETS, END]
        lost = owner(at) + 1
        events = parse(bytes(damaged))
        assert [e for e in events if not isinstance(e, Damage)] == records[:lost] + records[
            lost + 1 :
        ]
        damage = next(e for e in events if isinstance(e, Damage))
        assert damage.offset == STARTS[lost - 1]
        assert damage.offset + damage.length == [*STARTS, len(FILE)][lost]


def test_a_truncated_file_keeps_its_whole_packets() -> None:
    for length in range(len(FILE)):
        if length < STARTS[0]:
            with pytest.raises(NotNac if length < len(MAGIC) else DamagedHeader):
                parse(FILE[:length])
            continue
        whole = owner(length)
        events = parse(FILE[:length])
        assert events[: whole + 1] == [HEADER, *PACKETS[:whole]]
        assert events[-1] == Damage(length, 0, "the end record is missing")
        tail = length - STARTS[whole]
        expected = [Damage(STARTS[whole], tail, "the file ends inside a packet")] if tail else []
        assert events[whole + 1 : -1] == expected


def test_a_run_of_damage_is_one_event() -> None:
    damaged = FILE[: STARTS[1]] + bytes(1000) + FILE[STARTS[1] :]
    damage = Damage(STARTS[1], 1000, "no packet starts here")
    assert parse(damaged) == [HEADER, PACKETS[0], damage, *PACKETS[1:], END]


def test_data_after_the_end_is_one_event() -> None:
    rest = FILE[1:]
    expected = [HEADER, *PACKETS, END, Damage(len(FILE), len(rest), "data after the end record")]
    assert parse(FILE + rest) == expected
    assert parse(FILE + rest, *range(len(FILE) + len(rest))) == expected


def test_a_file_that_was_put_behind_another_is_left_alone() -> None:
    """Also where the first was cut: none of the second's packets is taken for one of its own."""
    joined = Damage(len(FILE), len(FILE), JOINED)
    assert parse(FILE + FILE) == [HEADER, *PACKETS, END, joined]
    assert parse(FILE + FILE, *range(2 * len(FILE))) == [HEADER, *PACKETS, END, joined]
    cut = FILE[: STARTS[1] + 5]
    broken, joined, end = expected = [
        Damage(STARTS[1], 5, "CRC mismatch"),
        Damage(len(cut), len(FILE), JOINED),
        Damage(len(cut) + len(FILE), 0, "the end record is missing"),
    ]
    found = parse(cut + FILE)
    assert [type(event) for event in found[:2]] == [Header, Packet]
    assert [(d.offset, d.length) for d in found[2:] if isinstance(d, Damage)] == [
        (d.offset, d.length) for d in expected
    ]
    assert found[3:] == [joined, end] and broken.length == 5
    assert parse(cut + FILE, *range(len(cut) + len(FILE))) == found


def test_a_broken_length_does_not_hold_a_live_reader_up() -> None:
    parser = Parser()
    list(parser.feed(pack_header(HEADER)))
    packet = bytearray(pack_packet(Packet(0, 2, (0,), bytes(64)), 2))
    packet[5:6] = pack_varint(STREAM.payload_limit(2))
    good = pack_packet(PACKETS[0], 2)
    events = [e for _ in range(20) for e in parser.feed(bytes(packet) + good)]
    assert events.count(PACKETS[0]) >= 16


def test_false_starts_take_linear_time() -> None:
    stream = replace(STREAM, channels=8, channel_mode=ChannelMode.INDEPENDENT, stages=64)
    wide = replace(HEADER, stream=replace(stream, frames_per_packet=MAX_FRAMES))
    false = b"\xac\xe0\x00\x00" + bytes(8) + pack_varint(MAX_PAYLOAD_BYTES)
    started = time.process_time()
    events = parse(pack_header(wide) + false * (3 * MAX_PAYLOAD_BYTES // 2 // len(false)))
    assert [type(event) for event in events] == [Header, Damage, Damage]
    assert time.process_time() - started < 10


# Headers that a reader must refuse, or not.


@pytest.mark.parametrize("data", [b"", b"\x8f", b"RIFF", b"RIFFxxxxWAVE", b"\x8fnaX\x01"])
def test_other_files_are_not_nac(data: bytes) -> None:
    with pytest.raises(NotNac):
        parse(data)


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_an_unknown_version_is_named(version: int) -> None:
    """Before anything else of the header is there, or right."""
    with pytest.raises(UnknownVersion, match=f"version {version} "):
        parse(MAGIC + bytes([version]))
    with pytest.raises(UnknownVersion, match=f"version {version} "):
        parse(MAGIC + bytes([version]) + FILE[len(MAGIC) + 1 :])


def test_a_flipped_bit_in_the_header_is_told_by_its_place() -> None:
    for at, bit in product(range(STARTS[0]), range(8)):
        damaged = bytearray(FILE)
        damaged[at] ^= 1 << bit
        magic, version = at < len(MAGIC), at == len(MAGIC)
        with pytest.raises(NotNac if magic else UnknownVersion if version else DamagedHeader):
            parse(bytes(damaged))
        for cut in (STARTS[0] // 2, STARTS[0] - 1, STARTS[0]):
            with pytest.raises((NotNac, UnknownVersion, DamagedHeader)):
                parse(bytes(damaged), cut)


def test_the_header_of_the_tests_is_that_of_the_small_file() -> None:
    assert with_sections(*SECTIONS.values()) == FILE


def test_sections_may_come_in_any_order() -> None:
    assert parse(with_sections(*reversed(SECTIONS.values()))) == [HEADER, *PACKETS, END]


def test_an_unknown_section_is_skipped_but_checked() -> None:
    unknown = pack_section(99, b"from the future")
    packed = with_sections(unknown, unknown, *SECTIONS.values(), unknown)
    assert parse(packed) == [HEADER, *PACKETS, END]
    assert parse(packed, *range(len(packed))) == [HEADER, *PACKETS, END]
    with pytest.raises(DamagedHeader, match="CRC"):
        parse(packed.replace(b"future", b"suture"))


def test_no_section_is_read_before_the_checksum_holds() -> None:
    packed = bytearray(with_body(Tag.STREAM, bytes(len(STREAM_FIELDS))))
    with pytest.raises(DamagedHeader, match="sample rate 0"):
        parse(bytes(packed))
    packed[STARTS[0] - 20] ^= 1
    with pytest.raises(DamagedHeader, match="CRC"):
        parse(bytes(packed))


def test_a_header_of_many_sections_takes_linear_time() -> None:
    packed = with_sections(pack_section(99, b"") * 400_000, *SECTIONS.values())
    started = time.process_time()
    assert parse(packed, *range(0, len(packed), 4096))[0] == HEADER
    assert time.process_time() - started < 10


@pytest.mark.parametrize("tag", [Tag.STREAM, Tag.MODEL, Tag.CODEBOOKS, Tag.ENTROPY])
def test_required_sections_come_once(tag: Tag) -> None:
    others = (section for other, section in SECTIONS.items() if other != tag)
    with pytest.raises(DamagedHeader, match=f"the {tag.name} section is missing"):
        parse(with_sections(*others))
    with pytest.raises(DamagedHeader, match="twice"):
        parse(with_sections(*SECTIONS.values(), SECTIONS[tag]))


@pytest.mark.parametrize(
    ("tag", "body"),
    [
        (Tag.TAGS, b"\x02\x01A"),  # fewer tags than it counts
        (Tag.TAGS, b"\x01\x01AB"),  # more bytes than tags
        (Tag.TAGS, b"\x01\x04A=\xff\xff"),  # no UTF-8
        (Tag.TAGS, b"\x01\x01A"),  # no value
        (Tag.TAGS, b"\x01\x02=A"),  # no name
        (Tag.TAGS, b"\x01\x03\x1f=A"),  # no letter
        (Tag.TAGS, b"\x01\x03~=A"),
        (Tag.PICTURE, b"picture"),
        (Tag.PICTURE, pack_picture(COVER)[:-1]),
        (Tag.PICTURE, pack_picture(COVER) + b"?"),
        (Tag.PICTURE, pack_picture(COVER).replace(b"image", b"im\xe4ge")),
        (Tag.STREAM, b"\x01"),
        (Tag.MODEL, bytes(7)),
        (Tag.CODEBOOKS, b"\x02codebook"),  # no such mode
        (Tag.CODEBOOKS, b"\x0fcodebook"),
        (Tag.CODEBOOKS, b"\x10codebook"),  # no such kind
        (Tag.CODEBOOKS, b"\x00codebook?"),  # inline by reference
        (Tag.ENTROPY, b"\x02entropy."),
        (Tag.ENTROPY, b"\x20entropy."),
        (Tag.ENTROPY, b"\xf0entropy."),
        (Tag.ENTROPY, b"\x00entropy"),
    ],
)
def test_sections_that_contradict_themselves_are_refused(tag: Tag, body: bytes) -> None:
    with pytest.raises(DamagedHeader, match="damaged header: "):
        parse(with_body(tag, body))


def with_stream(**changes: bytes) -> bytes:
    """The small file with other fields in its STREAM section."""
    return with_body(Tag.STREAM, b"".join((STREAM_FIELDS | changes).values()))


@pytest.mark.parametrize(
    ("field", "packed"),
    [
        ("sample_rate", b"\x00"),
        ("sample_rate", pack_varint(1_536_001)),
        ("sample_rate", b"\xc0\xbb\x81\x00"),  # not the shortest form
        ("channels", b"\x00"),
        ("channels", b"\x02"),  # MONO has one
        ("channels", b"\x09"),
        ("mode and format", b"\x33"),
        ("mode and format", b"\x3f"),
        ("mode and format", b"\xa0"),
        ("mode and format", b"\xf0"),
        ("samples", pack_varint(2**64)),
        ("hop", b"\x00"),
        ("hop", pack_varint(65_536)),
        ("frames_per_packet", b"\x00"),
        ("frames_per_packet", pack_varint(65_536)),
        ("stages", b"\x00"),
        ("stages", b"\x41"),
        ("stages", b"\x10\x00"),  # a byte too many
        ("stages", b""),
    ],
)
def test_stream_fields_outside_their_limits_are_refused(field: str, packed: bytes) -> None:
    with pytest.raises(DamagedHeader, match="damaged header: "):
        parse(with_stream(**{field: packed}))


@pytest.mark.parametrize(
    ("packed", "samples"),
    [(b"\x00", None), (b"\x01", 0), (b"\xa1\x06", 800), (pack_varint(2**64 - 1), MAX_SAMPLES)],
)
def test_the_sample_count_is_one_less_than_its_field(packed: bytes, samples: int | None) -> None:
    data = with_stream(samples=packed)
    expected = replace(HEADER, stream=replace(STREAM, samples=samples))
    assert parse(data)[0] == expected
    assert data == pack_file(expected, PACKETS, END)


@pytest.mark.parametrize(
    ("tag", "length"),
    [
        (Tag.TAGS, 1 << 20),
        (Tag.PICTURE, 16 << 20),
        (Tag.MODEL, 8),
        (Tag.STREAM, 22),
        (99, MAX_SECTION_BYTES),
    ],
)
def test_long_sections_are_refused_before_they_come(tag: int, length: int) -> None:
    start = MAGIC + bytes([VERSION, tag])
    assert list(Parser().feed(start + pack_varint(length))) == []
    with pytest.raises(DamagedHeader, match="length of section"):
        list(Parser().feed(start + pack_varint(length + 1)))


def test_a_header_that_is_too_long_is_refused_before_it_has_come() -> None:
    parser = Parser()
    start = MAGIC + bytes([VERSION]) + pack_section(99, bytes(MAX_SECTION_BYTES))
    assert list(parser.feed(start)) == []
    left = MAX_HEADER_BYTES - len(start) - 1 - CRC_BYTES  # for END and the CRC
    head = bytes([99]) + pack_varint(left)
    with pytest.raises(DamagedHeader, match="more than 33554432 bytes"):
        list(parser.feed(head))


@pytest.mark.parametrize("flags", [0x2, 0x4, 0x8])
def test_reserved_flags_are_damage(flags: int) -> None:
    packed = bytearray(pack_packet(PACKETS[0], 2))
    packed[1] |= flags
    damaged = pack_header(HEADER) + seal(bytes(packed[:-CRC_BYTES])) + pack_end(END)
    assert parse(damaged) == [HEADER, Damage(STARTS[0], len(packed), "no packet starts here"), END]


@pytest.mark.parametrize(
    "change",
    [
        {"sample_rate": 0},
        {"channels": 9},
        {"channels": 2},
        {"stages": 65},
        {"hop": 65_536},
        {"samples": 2**64 - 1},
    ],
)
def test_values_outside_their_limits_cannot_be_made(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"within|channel mode"):
        replace(STREAM, **change)  # type: ignore[arg-type]


def test_what_is_too_long_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="payload length"):
        Packet(0, 1, (0,), bytes(MAX_PAYLOAD_BYTES + 1))
    with pytest.raises(ValueError, match="section 5"):
        pack_header(replace(HEADER, tags=("x=" * (1 << 19),)))


@settings(deadline=None)
@given(PICTURES)
def test_a_picture_comes_back(picture: Picture) -> None:
    assert unpack_picture(pack_picture(picture)) == picture
    with pytest.raises(ValueError, match="mime"):
        pack_picture(replace(picture, mime="\u00e4"))


# FORMAT.md.


def test_the_example_of_the_documentation_is_a_file() -> None:
    text = (files("nacli.format") / "FORMAT.md").read_text()
    block = re.search(r"```hex\n(.*?)```", text, re.DOTALL)
    assert block
    example = bytes.fromhex("".join(line[:47] for line in block[1].splitlines()))
    packets = [PACKETS[0], Packet(1, 1, (5,), b"\x44")]
    parts = replace(HEADER, tags=("TITLE=Hi",)), packets, EndRecord(800, 2, b"checksum")
    assert parse(example) == [parts[0], *packets, parts[2]]
    assert pack_file(*parts) == example
