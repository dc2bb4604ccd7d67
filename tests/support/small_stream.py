"""A small .nac stream of four packets, and variations of it."""

from __future__ import annotations

from itertools import pairwise

from nacli.format import (
    ChannelMode,
    EndRecord,
    Event,
    Header,
    Packet,
    Parser,
    Picture,
    SampleFormat,
    StreamInfo,
    TableSection,
    pack_end,
    pack_header,
    pack_packet,
)
from nacli.format.header import (
    Tag,
    pack_section,
    seal_sections,
)

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
