"""The picture of a file, stored as the body of a FLAC picture block (RFC 9639, section 8.8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nacli.errors import counted
from nacli.format.wire import Reader

MAX_PICTURE_BYTES = 16 << 20
"""Largest PICTURE section."""
FRONT_COVER = 3
"""Picture type of the front cover."""

_LENGTH = struct.Struct(">I")
_KIND = struct.Struct(">II")
"""Kind, and length of the mime type."""
_SIZES = struct.Struct(">IIIII")
"""Width, height, depth, colors, and length of the data."""


@dataclass(frozen=True)
class Picture:
    """An image and its description. Width, height, depth and colors are 0 if they are unknown.

    `kind` is a picture type of ID3 and FLAC: 3 is the front cover. `mime` is printable ASCII.
    """

    kind: int
    mime: str
    description: str
    width: int
    height: int
    depth: int
    colors: int
    data: bytes

    def __str__(self) -> str:
        return f"picture ({self.mime or 'unknown kind'}, {counted(len(self.data), 'byte')})"


def pack_picture(picture: Picture) -> bytes:
    """Pack the body of a picture block. Raises `ValueError` if the mime type is no printable
    ASCII."""
    mime, description = _checked_mime(picture.mime).encode(), picture.description.encode()
    sizes = (picture.width, picture.height, picture.depth, picture.colors, len(picture.data))
    return b"".join(
        [
            _KIND.pack(picture.kind, len(mime)),
            mime,
            _LENGTH.pack(len(description)),
            description,
            _SIZES.pack(*sizes),
            picture.data,
        ]
    )


def unpack_picture(body: bytes) -> Picture:
    """Unpack the body of a picture block. Raises `ValueError`."""
    reader = Reader(body, whole=True)
    kind, length = reader.fields(_KIND)
    mime = _checked_mime(reader.take(length).decode("ascii"))
    (length,) = reader.fields(_LENGTH)
    description = reader.take(length).decode()
    width, height, depth, colors, length = reader.fields(_SIZES)
    data = reader.take(length)
    reader.end("the picture")
    return Picture(kind, mime, description, width, height, depth, colors, data)


def _checked_mime(mime: str) -> str:
    """Return a mime type that is printable ASCII. Raises `ValueError`."""
    if not (mime.isascii() and mime.isprintable()):
        raise ValueError(f"{mime[:40]!r} is no mime type")
    return mime
