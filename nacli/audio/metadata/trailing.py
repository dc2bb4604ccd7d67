"""Tags at the end of MP3 files: ID3v1 (id3.org) and APEv2 (the Hydrogenaudio wiki).

APEv2 is read here and not by mutagen, whose work grows with the square of a key's length.
"""

from __future__ import annotations

import struct

from nacli.audio.metadata.collected import MAX_TAGS, Found, legacy_text
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

_ID3V1 = {"TITLE": (3, 33), "ARTIST": (33, 63), "ALBUM": (63, 93), "DATE": (93, 97)}
_NO_GENRE = 192
"""From here on, ID3v1 has no genres."""
_APE_NAMES = {
    "YEAR": "DATE", "TRACK": "TRACKNUMBER", "DISC": "DISCNUMBER", "ALBUM ARTIST": "ALBUMARTIST",
}  # fmt: skip
"""Where APEv2's names are not those of Vorbis comments."""
_COVERS = {"COVER ART (FRONT)": FRONT_COVER, "COVER ART (BACK)": 4}
_MAX_KEY = 255
_TEXT, _BINARY = 0, 1


def parse_id3v1(block: bytes) -> Found:
    """The tags of the last 128 bytes of a file; none where there is no ID3v1."""
    found = Found()
    if len(block) < ID3V1_BYTES or block[:3] != b"TAG":
        return found
    numbered = not block[125] and block[126]
    fields = {**_ID3V1, "COMMENT": (97, 125 if numbered else 127)}
    for name, (start, end) in fields.items():
        if text := legacy_text(block[start:end].partition(b"\0")[0]).strip():
            found.add(name, [text])
    if numbered:
        found.add("TRACKNUMBER", [str(block[126])])
    if block[127] < _NO_GENRE:
        found.add("GENRE", genres([str(block[127])]))
    return found


def ape_size(footer: bytes) -> int:
    """Bytes of the items and the footer of an APE tag; 0 where these are no footer."""
    sound = len(footer) == APE_FOOTER_BYTES and footer[:8] == b"APETAGEX"
    size = int.from_bytes(footer[12:16], "little")
    return size if sound and size >= APE_FOOTER_BYTES else 0


def parse_ape(data: bytes) -> Found:
    """What an APE tag, items and footer, holds; `ValueError` where it is damaged."""
    count = int.from_bytes(data[-16:-12], "little")
    if count > MAX_TAGS:
        raise ValueError(f"more than {MAX_TAGS} items")
    found, at, end = Found(), 0, len(data) - APE_FOOTER_BYTES
    for _ in range(count):
        stop = data.find(b"\0", at + 8, at + 9 + _MAX_KEY)
        if stop < 0:
            raise ValueError("an item without a key")
        key = data[at + 8 : stop].decode("latin-1")
        size, flags = struct.unpack_from("<II", data, at)
        at = stop + 1 + size
        if at > end:
            raise ValueError("an item is cut short")
        if not _add_item(found, key, flags >> 1 & 3, data[stop + 1 : at]):
            found.dropped.append(f"APE {key}")
    return found


def _add_item(found: Found, key: str, kind: int, value: bytes) -> bool:
    """Put an item into `found`; False if there is no place for it."""
    upper = key.upper()
    try:
        if kind == _BINARY and upper in _COVERS and len(value) < MAX_PICTURE_BYTES:
            image = value.partition(b"\0")[2]  # behind its file name
            found.pictures.append(image_picture(image, _COVERS[upper]))
            return True
        name = _APE_NAMES.get(upper, upper)
        check_tag(f"{name}=")
    except ValueError:
        return False
    if kind != _TEXT or len(value) > MAX_TAGS_BYTES:
        return False
    found.add(name, [text for text in legacy_text(value).split("\0") if text])
    return True
