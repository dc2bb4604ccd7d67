"""The header: magic, version and sections, to bytes and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum

from nacli.format.picture import MAX_PICTURE_BYTES
from nacli.format.records import (
    DIGEST_BYTES,
    MODEL_BYTES,
    ChannelMode,
    Header,
    SampleFormat,
    StreamInfo,
    TableSection,
)
from nacli.format.tags import MAX_TAGS_BYTES
from nacli.format.wire import CRC_BYTES, MAX_U64, Reader, pack_varint, seal, unseal

MAGIC = b"\x8fnac"
VERSION = 1
UNKNOWN_SAMPLES = MAX_U64

_STREAM = struct.Struct("<IBBBBQHHB")


class Tag(IntEnum):
    """What a section holds."""

    END = 0
    STREAM = 1
    MODEL = 2
    CODEBOOKS = 3
    ENTROPY = 4
    TAGS = 5
    PICTURE = 6


REQUIRED = (Tag.STREAM, Tag.MODEL, Tag.CODEBOOKS, Tag.ENTROPY)
MAX_SECTION_BYTES = 16 << 20
MAX_HEADER_BYTES = 32 << 20
SECTION_LIMITS: Mapping[int, int] = {
    Tag.END: 0,
    Tag.STREAM: _STREAM.size,
    Tag.MODEL: MODEL_BYTES,
    Tag.TAGS: MAX_TAGS_BYTES,
    Tag.PICTURE: MAX_PICTURE_BYTES,
}
"""Most bytes of a section's body; `MAX_SECTION_BYTES` where nothing is said."""


def _read_section_front(reader: Reader) -> tuple[int, int]:
    tag = reader.take(1)[0]
    limit = SECTION_LIMITS.get(tag, MAX_SECTION_BYTES)
    return tag, reader.varint(f"length of section {tag}", limit)


def section_size(data: bytes | bytearray) -> int:
    """Bytes of the section that starts `data`; `Short` while its length is not there."""
    reader = Reader(data)
    _, length = _read_section_front(reader)
    return reader.at + length + CRC_BYTES


def pack_section(tag: int, body: bytes) -> bytes:
    """One section; `ValueError` where `body` is longer than its tag allows."""
    limit = SECTION_LIMITS.get(tag, MAX_SECTION_BYTES)
    if len(body) > limit:
        raise ValueError(f"section {tag} has {len(body)} bytes, more than {limit}")
    return seal(bytes([tag]) + pack_varint(len(body)) + body)


def unpack_section(section: bytes) -> tuple[int, bytes]:
    """Tag and body of a whole section."""
    reader = Reader(unseal(section), whole=True)
    tag, length = _read_section_front(reader)
    return tag, reader.take(length)


def pack_header(header: Header) -> bytes:
    """Magic, version and all sections."""
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
    sections.append((Tag.END, b""))
    packed = MAGIC + bytes([VERSION]) + b"".join(pack_section(*section) for section in sections)
    if len(packed) > MAX_HEADER_BYTES:
        raise ValueError(f"the header has {len(packed)} bytes, more than {MAX_HEADER_BYTES}")
    return packed


def unpack_header(sections: Mapping[int, bytes]) -> Header:
    """The header that the bodies of its sections, by tag, add up to."""
    for tag in REQUIRED:
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


def _pack_stream(stream: StreamInfo) -> bytes:
    return _STREAM.pack(
        stream.sample_rate,
        stream.channels,
        stream.channel_mode,
        stream.sample_format,
        0,
        UNKNOWN_SAMPLES if stream.samples is None else stream.samples,
        stream.hop,
        stream.frames_per_packet,
        stream.stages,
    )


def _unpack_stream(body: bytes) -> StreamInfo:
    reader = Reader(body, whole=True)
    rate, channels, mode, sample_format, reserved, samples, *frames = reader.fields(_STREAM)
    if reserved:
        raise ValueError("the reserved byte of the STREAM section is not zero")
    known = None if samples == UNKNOWN_SAMPLES else samples
    return StreamInfo(
        rate, channels, ChannelMode(mode), SampleFormat(sample_format), known, *frames
    )


def _pack_table(table: TableSection) -> bytes:
    inline = table.inline is not None
    return bytes([inline, table.kind]) + table.digest + (table.inline or b"")


def _unpack_table(body: bytes) -> TableSection:
    reader = Reader(body, whole=True)
    mode, kind = reader.take(2)
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
    if reader.rest():
        raise ValueError("the TAGS section is longer than its tags")
    return tags
