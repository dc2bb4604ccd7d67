"""Headers and values that a reader refuses, or accepts."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product

import pytest

from nacli.errors import DamagedHeader, NotNac, UnknownVersion
from nacli.format import (
    Damage,
    Packet,
    Parser,
    pack_end,
    pack_header,
    pack_packet,
    pack_picture,
)
from nacli.format.header import (
    MAGIC,
    MAX_HEADER_BYTES,
    MAX_SECTION_BYTES,
    VERSION,
    Tag,
    pack_section,
)
from nacli.format.records import MAX_PAYLOAD_BYTES, MAX_SAMPLES
from nacli.format.wire import CRC_BYTES, pack_varint, seal
from small_stream import (
    COVER,
    END,
    FILE,
    HEADER,
    PACKETS,
    SECTIONS,
    STARTS,
    STREAM,
    STREAM_FIELDS,
    pack_file,
    parse,
    with_body,
    with_sections,
)


@pytest.mark.parametrize("data", [b"", b"\x8f", b"RIFF", b"RIFFxxxxWAVE", b"\x8fnaX\x01"])
def test_other_files_are_not_nac(data: bytes) -> None:
    with pytest.raises(NotNac):
        parse(data)


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 6, 255])
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
