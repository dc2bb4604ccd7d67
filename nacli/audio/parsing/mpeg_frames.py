"""The header of an MPEG audio frame, four bytes (ISO/IEC 11172-3, section 2.4.1.3, and 13818-3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_RATES = (44_100, 48_000, 32_000)
"""Sample rates of MPEG 1 in Hz by their index."""
_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bitrates of the indices 1 to 14, by version (2 includes 2.5) and layer."""
_MPEG_1, _RESERVED_VERSION = 3, 1
_RATE_HALVINGS = {_MPEG_1: 0, 2: 1, 0: 2}
"""Number of times that a sample rate of MPEG 1 is halved in MPEG 1, 2 and 2.5, by version bits."""
_MONO = 3
_MEDIUM_BITRATE = 9
"""Index of a bitrate whose frames have room for a Xing header."""
XING_MARKS = (b"Xing", b"Info")
"""Marks of a Xing header in files of variable and of constant bitrate."""
XING_BYTES = 12
"""Bytes of a Xing header: mark, flags, number of frames."""
COUNT_FLAG = 1
"""Flag of a Xing header that has a number of frames."""
LONGEST_FRAME = 1440
"""Bytes of the longest frame."""


@dataclass(frozen=True)
class FrameHeader:
    """The parsed header of a frame."""

    size: int
    """Bytes of the frame."""
    samples: int
    """Samples per channel."""
    kbps: int
    kind: tuple[int, ...]
    """Version, layer, sample rate index and mono: these do not change within a stream."""
    xing_at: int | None
    """Offset of a Xing header in the frame; None in layers 1 and 2, which have none."""


@lru_cache(4096)
def parse_header(head: bytes) -> FrameHeader | None:
    """Parse the four bytes of a frame header. Returns None for other bytes and for free format."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:  # 11 bits of sync
        return None
    version, layer = (head[1] >> 3) & 3, 4 - ((head[1] >> 1) & 3)
    kbps_index, rate_index = head[2] >> 4, (head[2] >> 2) & 3
    if version == _RESERVED_VERSION or layer == 4 or rate_index == 3 or kbps_index in (0, 15):
        return None
    low_rate = version != _MPEG_1
    rate = _RATES[rate_index] >> _RATE_HALVINGS[version]
    kbps = _KBPS[2 if low_rate else 1, layer][kbps_index - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and low_rate else 1152
    slot = 4 if layer == 1 else 1  # bytes
    padding = (head[2] >> 1) & 1
    frame_bytes = (samples // 8 * kbps * 1000 // rate // slot + padding) * slot
    mono = head[3] >> 6 == _MONO
    side_info_bytes = (9 if mono else 17) if low_rate else (17 if mono else 32)
    xing_at = 4 + side_info_bytes if layer == 3 else None
    return FrameHeader(frame_bytes, samples, kbps, (version, layer, rate_index, mono), xing_at)


def medium_bitrate(head: bytes) -> bytes:
    """Return a frame header like this one with a medium bitrate, without CRC and padding."""
    return bytes([head[0], head[1] | 1, _MEDIUM_BITRATE << 4 | head[2] & 12, head[3]])
