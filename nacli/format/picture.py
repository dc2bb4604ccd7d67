"""The picture of a file: the body of a FLAC picture block (RFC 9639, section 8.8), big-endian."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nacli.errors import counted
from nacli.format.wire import Reader

MAX_PICTURE_BYTES = 16 << 20
FRONT_COVER = 3

_LENGTH = struct.Struct(">I")
_KIND = struct.Struct(">II")
_SIZES = struct.Struct(">IIIII")


@dataclass(frozen=True)
class Picture:
    """A picture and what is said of it; width, height, depth and colors may be 0: unknown.

    `kind` counts as in ID3 and FLAC: 3 is the front cover. `mime` is printable ASCII.
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
    """The body of a picture block; `ValueError` where the mime type is no plain ASCII."""
    mime, description = _plain(picture.mime).encode(), picture.description.encode()
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
    """`pack_picture` in reverse; `ValueError` for anything that it does not write."""
    reader = Reader(body, whole=True)
    kind, length = reader.fields(_KIND)
    mime = _plain(reader.take(length).decode("ascii"))
    (length,) = reader.fields(_LENGTH)
    description = reader.take(length).decode()
    width, height, depth, colors, length = reader.fields(_SIZES)
    data = reader.take(length)
    reader.end("the picture")
    return Picture(kind, mime, description, width, height, depth, colors, data)


def _plain(mime: str) -> str:
    if not (mime.isascii() and mime.isprintable()):
        raise ValueError(f"{mime[:40]!r} is no mime type")
    return mime
