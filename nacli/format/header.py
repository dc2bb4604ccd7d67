"""Convert the header (magic, version, sections, and one CRC over all) to bytes and back."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from nacli.format.picture import MAX_PICTURE_BYTES
from nacli.format.records import (
    DIGEST_BYTES,
    MAX_FRAMES,
    MAX_HOP,
    MAX_SAMPLE_RATE,
    MAX_SAMPLES,
    ChannelMode,
    Header,
    SampleFormat,
    StreamInfo,
    TableSection,
)
from nacli.format.tags import MAX_TAGS_BYTES
from nacli.format.wire import Reader, pack_nibbles, pack_varint, seal, unseal

MAGIC = b"\x8fnac"
VERSION = 5
FRONT_BYTES = len(MAGIC) + 1
"""Bytes of magic and version."""

_STREAM_VARINTS = (MAX_SAMPLE_RATE, MAX_SAMPLES + 1, MAX_HOP, MAX_FRAMES)
_MAX_STREAM_BYTES = 3 + sum(len(pack_varint(high)) for high in _STREAM_VARINTS)


class Tag(IntEnum):
    """Kind of a section."""

    END = 0
    STREAM = 1
    MODEL = 2
    CODEBOOKS = 3
    ENTROPY = 4
    TAGS = 5
    PICTURE = 6


_KNOWN_TAGS = frozenset(Tag)
REQUIRED_TAGS = (Tag.STREAM, Tag.MODEL, Tag.CODEBOOKS, Tag.ENTROPY)
MAX_SECTION_BYTES = 16 << 20
MAX_HEADER_BYTES = 32 << 20
SECTION_LIMITS: Mapping[int, int] = {
    Tag.STREAM: _MAX_STREAM_BYTES,
    Tag.MODEL: DIGEST_BYTES,
    Tag.TAGS: MAX_TAGS_BYTES,
    Tag.PICTURE: MAX_PICTURE_BYTES,
}
"""Largest bodies of sections in bytes by tag; the default is `MAX_SECTION_BYTES`."""


def _read_section_front(reader: Reader) -> tuple[int, int]:
    """Read the tag of a section and the length of its body. END has no length and no body."""
    tag = reader.take(1)[0]
    if tag == Tag.END:
        return tag, 0
    limit = SECTION_LIMITS.get(tag, MAX_SECTION_BYTES)
    return tag, reader.varint(f"length of section {tag}", limit)


def find_section(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return tag and end of the section that starts at `at`. Raises `Short` while its length is not
    there."""
    reader = Reader(data, at=at)
    tag, length = _read_section_front(reader)
    return tag, reader.at + length


def pack_section(tag: int, body: bytes) -> bytes:
    """Pack one section. Raises `ValueError` if `body` is longer than its tag allows."""
    limit = SECTION_LIMITS.get(tag, MAX_SECTION_BYTES)
    if len(body) > limit:
        raise ValueError(f"section {tag} has {len(body)} bytes, more than {limit}")
    return bytes([tag]) + pack_varint(len(body)) + body


def seal_sections(sections: bytes) -> bytes:
    """Pack a header of packed sections."""
    return seal(MAGIC + bytes([VERSION]) + sections + bytes([Tag.END]))


def pack_header(header: Header) -> bytes:
    """Pack a header: magic, version, all sections, END and the CRC."""
    sections = [
        (Tag.STREAM, _pack_stream(header.stream)),
        (Tag.MODEL, header.model),
        (Tag.CODEBOOKS, _pack_table(header.codebooks)),
        (Tag.ENTROPY, _pack_table(header.entropy)),
    ]
    if header.tags:
        sections.append((Tag.TAGS, _pack_tags(header.tags)))
    if header.picture is not None:
        sections.append((Tag.PICTURE, header.picture))
    packed = seal_sections(b"".join(pack_section(*section) for section in sections))
    if len(packed) > MAX_HEADER_BYTES:
        raise ValueError(f"the header has {len(packed)} bytes, more than {MAX_HEADER_BYTES}")
    return packed


def unpack_header(packed: bytes) -> Header:
    """Unpack what `pack_header` packed. No section is read before the CRC has been checked. Raises
    `ValueError`."""
    sections = _unpack_sections(unseal(packed))
    for tag in REQUIRED_TAGS:
        if tag not in sections:
            raise ValueError(f"the {tag.name} section is missing")
    return Header(
        stream=_unpack_stream(sections[Tag.STREAM]),
        model=sections[Tag.MODEL],
        codebooks=_unpack_table(sections[Tag.CODEBOOKS]),
        entropy=_unpack_table(sections[Tag.ENTROPY]),
        tags=_unpack_tags(sections[Tag.TAGS]) if Tag.TAGS in sections else (),
        picture=sections.get(Tag.PICTURE),
    )


def _unpack_sections(body: bytes) -> dict[int, bytes]:
    """Return the bodies of all sections with known tags."""
    reader = Reader(body, whole=True, at=FRONT_BYTES)
    sections: dict[int, bytes] = {}
    while True:
        tag, length = _read_section_front(reader)
        if tag == Tag.END:
            reader.end("the header")
            return sections
        if tag in sections:
            raise ValueError(f"section {tag} comes twice")
        content = reader.take(length)
        if tag in _KNOWN_TAGS:
            sections[tag] = content


def _pack_stream(stream: StreamInfo) -> bytes:
    samples = 0 if stream.samples is None else stream.samples + 1
    return (
        pack_varint(stream.sample_rate)
        + bytes([stream.channels])
        + pack_nibbles(stream.channel_mode, stream.sample_format)
        + pack_varint(samples)
        + pack_varint(stream.hop)
        + pack_varint(stream.frames_per_packet)
        + bytes([stream.stages])
    )


def _unpack_stream(body: bytes) -> StreamInfo:
    reader = Reader(body, whole=True)
    rate = reader.varint("sample rate", MAX_SAMPLE_RATE)
    channels = reader.take(1)[0]
    mode, sample_format = reader.nibbles()
    samples = reader.varint("sample count and one", MAX_SAMPLES + 1)
    hop = reader.varint("hop", MAX_HOP)
    frames = reader.varint("frames per packet", MAX_FRAMES)
    stages = reader.take(1)[0]
    reader.end("the STREAM section")
    return StreamInfo(
        rate,
        channels,
        ChannelMode(mode),
        SampleFormat(sample_format),
        samples - 1 if samples else None,
        hop,
        frames,
        stages,
    )


def _pack_table(table: TableSection) -> bytes:
    mode = pack_nibbles(table.inline is not None, table.kind)
    return mode + table.digest + (table.inline or b"")


def _unpack_table(body: bytes) -> TableSection:
    reader = Reader(body, whole=True)
    mode, kind = reader.nibbles()
    digest, inline = reader.take(DIGEST_BYTES), reader.rest()
    if mode > 1 or (inline and not mode):
        raise ValueError(f"table mode {mode} with {len(inline)} inline bytes")
    return TableSection(digest, inline if mode else None, kind)


def _pack_tags(tags: tuple[str, ...]) -> bytes:
    texts = [tag.encode() for tag in tags]
    return pack_varint(len(texts)) + b"".join(pack_varint(len(text)) + text for text in texts)


def _unpack_tags(body: bytes) -> tuple[str, ...]:
    reader = Reader(body, whole=True)
    count = reader.varint("tag count", len(body))
    tags = tuple(reader.take(reader.varint("tag length", len(body))).decode() for _ in range(count))
    reader.end("the TAGS section")
    return tags
