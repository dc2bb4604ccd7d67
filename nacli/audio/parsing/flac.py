"""The length of FLAC (RFC 9639): what the header promises, and whether the last frame keeps it.

libsndfile reads no more samples than STREAMINFO promises, also where there are more; where the
promise is 0, for "unknown", it reads all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAGIC = b"fLaC"
HEAD_BYTES = 26
TAIL_BYTES = 1 << 17
"""In which the last frame begins, but for extreme ones."""
_TOTAL = slice(21, 26)
_TOTAL_BITS = 36
_BLOCK_SIZES = {1: 192, **{code: 144 << code for code in range(2, 6)}}
_BLOCK_SIZES |= {code: 1 << code for code in range(8, 16)}
_MOST_HEADER_BYTES = 16


def read_total(head: bytes) -> tuple[int | None, bytes]:
    """The samples that the first `HEAD_BYTES` of a file promise (None: unknown), and the same bytes
    without that promise."""
    number = int.from_bytes(head[_TOTAL], "big")
    total = number % (1 << _TOTAL_BITS)
    return total or None, head[: _TOTAL.start] + (number - total).to_bytes(5, "big")


def ends_with(head: bytes, tail: bytes, total: int) -> bool:
    """Whether among the frames that begin in `tail`, the last bytes of a file, one ends with sample
    `total`, and none goes on from there."""
    frames = list(_frames(tail, int.from_bytes(head[8:10], "big")))
    return any(end == total for _, end in frames) and all(start != total for start, _ in frames)


def _frames(tail: bytes, block_size: int) -> Iterator[tuple[int, int]]:
    """First sample and end of each frame; those of fixed size have `block_size` samples."""
    for sync in re.finditer(rb"\xff[\xf8\xf9]", tail):
        header = tail[sync.start() : sync.start() + _MOST_HEADER_BYTES]
        if len(header) < 6:
            continue
        ones = 8 - (header[4] ^ 0xFF).bit_length()  # as in UTF-8: so many bytes
        number_end = 4 + max(1, ones)
        number = header[4] & (0x7F >> ones)
        for byte in header[5:number_end]:
            number = number << 6 | byte & 0x3F
        size_code, rate_code = header[2] >> 4, header[2] & 15
        size_end = number_end + {6: 1, 7: 2}.get(size_code, 0)
        crc_at = size_end + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
        if header[crc_at : crc_at + 1] != bytes([_crc8(header[:crc_at])]):
            continue
        size = int.from_bytes(header[number_end:size_end], "big") + 1
        size = _BLOCK_SIZES.get(size_code, size)
        start = number if header[1] & 1 else number * block_size
        yield start, start + size


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x107 if crc & 0x80 else 0)
    return crc
