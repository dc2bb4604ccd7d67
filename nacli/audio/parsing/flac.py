"""The length of FLAC (RFC 9639): the total in STREAMINFO, and whether the last frame agrees.

libsndfile reads no more samples than the total in STREAMINFO, even if there are more. If the total
is 0, for "unknown", it reads all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAGIC = b"fLaC"
HEAD_BYTES = 26
"""Bytes of a file up to the end of the total in STREAMINFO."""
TAIL_BYTES = 1 << 17
"""Bytes at the end of a file in which the last frame begins, except for extreme frames."""
_MIN_BLOCK_SIZE = slice(8, 10)
_TOTAL = slice(21, 26)
_TOTAL_BITS = 36
"""STREAMINFO's smallest block size and total number of samples, by offset in the file. The total
has the low 36 bits of its 5 bytes."""
_BLOCK_SIZES = {1: 192, **{code: 144 << code for code in range(2, 6)}}
_BLOCK_SIZES |= {code: 1 << code for code in range(8, 16)}
"""Block sizes by the code of a frame header (section 9.1.1); codes 6 and 7 are followed by one."""
_UNCOMMON_BLOCK_SIZE = {6: 1, 7: 2}
_UNCOMMON_SAMPLE_RATE = {12: 1, 13: 2, 14: 2}
"""Bytes of a frame header that hold a block size, or a sample rate, that has no code of its own."""
_MAX_FRAME_HEADER = 16


def read_total(head: bytes) -> tuple[int | None, bytes]:
    """Return the total of STREAMINFO (None: unknown) in the first `HEAD_BYTES` of a file, and the
    same bytes with the total set to "unknown"."""
    number = int.from_bytes(head[_TOTAL], "big")
    total = number % (1 << _TOTAL_BITS)
    return total or None, head[: _TOTAL.start] + (number - total).to_bytes(5, "big")


def ends_with(head: bytes, tail: bytes, total: int) -> bool:
    """Tell whether the stream ends with sample `total`: one of the frames that begin in `tail`, the
    last bytes of the file, ends there, and no frame starts there."""
    frames = list(_frames(tail, int.from_bytes(head[_MIN_BLOCK_SIZE], "big")))
    return any(end == total for _, end in frames) and all(start != total for start, _ in frames)


def _frames(tail: bytes, block_size: int) -> Iterator[tuple[int, int]]:
    """Yield the first sample and the end of each frame whose header (section 9.1) has a valid
    CRC-8. Streams of a fixed block size number their frames, which have `block_size` samples."""
    for sync in re.finditer(rb"\xff[\xf8\xf9]", tail):
        header = tail[sync.start() : sync.start() + _MAX_FRAME_HEADER]
        if len(header) < 6:
            continue
        variable_size = header[1] & 1
        size_code, rate_code = header[2] >> 4, header[2] & 15
        number, number_end = _coded_number(header)
        size_end = number_end + _UNCOMMON_BLOCK_SIZE.get(size_code, 0)
        crc_at = size_end + _UNCOMMON_SAMPLE_RATE.get(rate_code, 0)
        if header[crc_at : crc_at + 1] != bytes([_crc8(header[:crc_at])]):
            continue
        size = int.from_bytes(header[number_end:size_end], "big") + 1
        size = _BLOCK_SIZES.get(size_code, size)
        start = number if variable_size else number * block_size
        yield start, start + size


def _coded_number(header: bytes) -> tuple[int, int]:
    """Return the coded number of a frame header, and the offset of its end. It is coded as UTF-8
    codes characters, but up to 36 bits: the leading ones of the first byte count its bytes."""
    leading_ones = 8 - (header[4] ^ 0xFF).bit_length()
    end = 4 + max(1, leading_ones)
    number = header[4] & (0x7F >> leading_ones)
    for byte in header[5:end]:
        number = number << 6 | byte & 0x3F
    return number, end


def _crc8(data: bytes) -> int:
    """Return the CRC-8 of a frame header: polynomial x^8 + x^2 + x + 1, initial value 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x107 if crc & 0x80 else 0)
    return crc
