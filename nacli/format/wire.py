"""Primitives of the format: little-endian fields, varints, nibbles, and the CRC-32 at the end."""

from __future__ import annotations

import struct
import zlib
from typing import Any

CRC_BYTES = 4
MAX_U32 = 2**32 - 1
MAX_U64 = 2**64 - 1

_CRC = struct.Struct("<I")


class Short(Exception):
    """The bytes end before the record does; more may follow."""


class Reader:
    """Reads fields in order, from offset `at` on. If the bytes end, it raises `Short`, or
    `ValueError` if the record is `whole`."""

    def __init__(self, data: bytes | bytearray, whole: bool = False, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.whole = whole

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        end = self.at + count
        if end > len(self.data):
            raise ValueError("a field runs past the end of its record") if self.whole else Short
        taken = bytes(self.data[self.at : end])
        self.at = end
        return taken

    def rest(self) -> bytes:
        """Return all remaining bytes."""
        return self.take(len(self.data) - self.at)

    def fields(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Return the fields of a fixed layout."""
        return layout.unpack(self.take(layout.size))

    def end(self, name: str) -> None:
        """Raise `ValueError` if bytes remain."""
        if self.at < len(self.data):
            raise ValueError(f"{name} has more bytes than fields")

    def nibbles(self) -> tuple[int, int]:
        """Return the low and the high four bits of a byte."""
        byte = self.take(1)[0]
        return byte & 0xF, byte >> 4

    def varint(self, name: str, high: int) -> int:
        """Return an integer up to `high`. Raises `ValueError` unless it has its shortest form."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if value > high or (shift and not byte):
                break
            if byte < 0x80:
                return value
        raise ValueError(f"{name} is not within 0..{high} in its shortest form")


def pack_varint(value: int) -> bytes:
    """Pack an integer with seven bits in each byte, lowest first; the high bit says that another
    byte follows (LEB128)."""
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)


def pack_nibbles(low: int, high: int) -> bytes:
    """Pack two integers below 16 into a byte."""
    return bytes([low | high << 4])


def seal(body: bytes) -> bytes:
    """Append its CRC-32 to a record."""
    return body + _CRC.pack(zlib.crc32(body))


def unseal(record: bytes) -> bytes:
    """Return a record without its CRC-32. Raises `ValueError` if the CRC is wrong."""
    body = record[:-CRC_BYTES]
    if _CRC.pack(zlib.crc32(body)) != record[-CRC_BYTES:]:
        raise ValueError("CRC mismatch")
    return body
