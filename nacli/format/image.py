"""Make pictures of image files: the kind and the size are read from their first bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

from nacli.format.picture import FRONT_COVER, Picture

_NO_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)
"""Markers of JPEG from 0xC0 to 0xCF that begin no frame header."""


def image_picture(data: bytes, kind: int = FRONT_COVER) -> Picture:
    """Return a JPEG, PNG, GIF or WebP file as a picture. Raises `ValueError` for anything else."""
    for mime, size_of in _SIZES.items():
        try:
            size = size_of(data)
        except (struct.error, IndexError) as error:
            raise ValueError(f"{mime}, but cut short") from error
        if size:
            return Picture(kind, mime, "", *size, 0, 0, data)
    raise ValueError("no JPEG, PNG, GIF or WebP image")


Size = tuple[int, int] | None
"""Width and height in pixels; None for an image of another kind."""


def _png(data: bytes) -> Size:
    """Read the IHDR chunk (PNG specification, section 11.2.1)."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        return None
    return struct.unpack_from(">II", data, 16)


def _jpeg(data: bytes) -> Size:
    """Read the size from the frame header (ITU-T T.81, annex B)."""
    if data[:3] != b"\xff\xd8\xff":
        return None
    at = 2
    while data[at] == 0xFF:
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + max(2, length)
    raise IndexError("no marker where one should be")


def _gif(data: bytes) -> Size:
    """Read the logical screen descriptor (GIF89a, section 18)."""
    if data[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    return struct.unpack_from("<HH", data, 6)


def _webp(data: bytes) -> Size:
    """Read the first chunk (RFC 9649 and, for lossy VP8, RFC 6386, section 9.1)."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    chunk = data[12:16]
    if chunk == b"VP8X":
        width_low, width_high, height_low, height_high = struct.unpack_from("<HBHB", data, 24)
        return 1 + (width_low | width_high << 16), 1 + (height_low | height_high << 16)
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


_SIZES: dict[str, Callable[[bytes], Size]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
}
"""Readers of sizes by mime type."""
