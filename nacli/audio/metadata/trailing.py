"""Tags at the end of MP3 files: ID3v1 (id3.org) and APEv2 (the Hydrogenaudio wiki).

nacli reads APEv2 itself, since mutagen takes time in proportion to the square of a key's length.
"""

from __future__ import annotations

import struct

from nacli.audio.metadata.bounded_file import BoundedFile
from nacli.audio.metadata.collected import MAX_TAGS, CollectedTags, legacy_text
from nacli.audio.metadata.id3 import genres
from nacli.format import (
    FRONT_COVER,
    MAX_PICTURE_BYTES,
    MAX_TAGS_BYTES,
    check_tag,
    image_picture,
)

ID3V1_BYTES = 128
APE_FOOTER_BYTES = 32

_ID3V1_FIELDS = {"TITLE": (3, 33), "ARTIST": (33, 63), "ALBUM": (63, 93), "DATE": (93, 97)}
_NO_GENRE = 192
"""The first number that stands for no genre in ID3v1."""
_APE_NAMES = {
    "YEAR": "DATE", "TRACK": "TRACKNUMBER", "DISC": "DISCNUMBER", "ALBUM ARTIST": "ALBUMARTIST",
}  # fmt: skip
"""Keys of APEv2 that differ from the names of Vorbis comments for the same."""
_COVERS = {"COVER ART (FRONT)": FRONT_COVER, "COVER ART (BACK)": 4}
"""Keys of APEv2 that hold pictures, and the kinds of picture in FLAC."""
_MAX_KEY = 255
_TEXT, _BINARY = 0, 1
"""Kinds of items, in bits 1 and 2 of their flags."""


def parse_id3v1(block: bytes) -> CollectedTags:
    """Parse the last 128 bytes of a file. The result is empty if they are no ID3v1 tag."""
    result = CollectedTags()
    if len(block) < ID3V1_BYTES or block[:3] != b"TAG":
        return result
    numbered = not block[125] and block[126]
    fields = {**_ID3V1_FIELDS, "COMMENT": (97, 125 if numbered else 127)}
    for name, (start, end) in fields.items():
        if text := legacy_text(block[start:end].partition(b"\0")[0]).strip():
            result.add(name, [text])
    if numbered:
        result.add("TRACKNUMBER", [str(block[126])])
    if block[127] < _NO_GENRE:
        result.add("GENRE", genres([str(block[127])]))
    return result


def ape_size(footer: bytes) -> int:
    """Return the bytes of the items and the footer of an APE tag, or 0 if this is no footer."""
    valid = len(footer) == APE_FOOTER_BYTES and footer[:8] == b"APETAGEX"
    size = int.from_bytes(footer[12:16], "little")
    return size if valid and size >= APE_FOOTER_BYTES else 0


def read_ape(file: BoundedFile, end: int) -> CollectedTags:
    """Read the APE tag that ends at an offset of a file; empty if there is none. Raises
    `ValueError` if it is damaged."""
    file.seek(max(0, end - APE_FOOTER_BYTES))
    size = ape_size(file.read(APE_FOOTER_BYTES))
    if not size:
        return CollectedTags()
    file.seek(end - size)
    return parse_ape(file.read(size))


def parse_ape(data: bytes) -> CollectedTags:
    """Parse an APE tag, items and footer. Raises `ValueError` if it is damaged."""
    count = int.from_bytes(data[-16:-12], "little")
    if count > MAX_TAGS:
        raise ValueError(f"more than {MAX_TAGS} items")
    result, at, end = CollectedTags(), 0, len(data) - APE_FOOTER_BYTES
    for _ in range(count):
        stop = data.find(b"\0", at + 8, at + 9 + _MAX_KEY)
        if stop < 0:
            raise ValueError("an item without a key")
        key = data[at + 8 : stop].decode("latin-1")
        size, flags = struct.unpack_from("<II", data, at)
        at = stop + 1 + size
        if at > end:
            raise ValueError("an item is cut short")
        if not _add_item(result, key, flags >> 1 & 3, data[stop + 1 : at]):
            result.dropped.append(f"APE {key}")
    return result


def _add_item(result: CollectedTags, key: str, kind: int, value: bytes) -> bool:
    """Add an item to `result`. Returns False if the item cannot be kept."""
    upper = key.upper()
    try:
        if kind == _BINARY and upper in _COVERS and len(value) < MAX_PICTURE_BYTES:
            image = value.partition(b"\0")[2]  # after its file name
            result.pictures.append(image_picture(image, _COVERS[upper]))
            return True
        name = _APE_NAMES.get(upper, upper)
        check_tag(f"{name}=")
    except ValueError:
        return False
    if kind != _TEXT or len(value) > MAX_TAGS_BYTES:
        return False
    result.add(name, [text for text in legacy_text(value).split("\0") if text])
    return True
