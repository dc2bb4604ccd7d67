"""The channel mask of WAVE_FORMAT_EXTENSIBLE, which assigns channels to speakers.

A .nac file carries it as FLAC does, in a Vorbis comment (RFC 9639, section 8.6.2).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

CHANNEL_MASK = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
FLAC_MASKS = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
"""Masks of FLAC by the number of channels, in files without the comment (RFC 9639, section
9.1.3)."""

_DEFAULT_MASKS = (0, 0x4, 0x3)
"""No mask, mono, and stereo: the number of channels says as much."""
_VALUE = re.compile(r"0[xX]0*[0-9a-fA-F]{1,8}")
_USE_BITMAP = 1 << 16
"""Tag of an Apple channel layout that consists of a mask."""
_APPLE_LAYOUTS = {
    (100 << 16) + 1: 0x4,
    (101 << 16) + 2: 0x3,
    (108 << 16) + 4: 0x33,
    (113 << 16) + 3: 0x7,
    (117 << 16) + 5: 0x37,
    (121 << 16) + 6: 0x3F,
}
"""Masks by the tags of Apple's channel layouts (CoreAudioBaseTypes.h) that have the channels in the
order of WAV: mono, stereo, quadraphonic, MPEG 3.0 A, 5.0 A and 5.1 A."""


def mask_tags(mask: int) -> list[str]:
    """Return the tag for a mask in a list, which is empty for default masks."""
    return [] if mask in _DEFAULT_MASKS else [f"{CHANNEL_MASK}=0x{mask:04X}"]


def is_mask(tag: str) -> bool:
    """Tell whether a tag is a valid channel mask, such as "...=0x003F"."""
    name, _, value = tag.partition("=")
    return name.upper() == CHANNEL_MASK and _VALUE.fullmatch(value) is not None


def channel_mask(tags: Iterable[str]) -> int | None:
    """Return the mask among tags; None if there is none."""
    masks = (int(tag.partition("=")[2], 16) for tag in tags if is_mask(tag))
    return next(masks, None)


def apple_mask(chunk: bytes) -> int | None:
    """Return the mask of a channel layout chunk of AIFF or CAF; None for layouts that have no
    mask."""
    if len(chunk) < 8:
        return None
    tag, bitmap = struct.unpack_from(">II", chunk)
    return bitmap if tag == _USE_BITMAP else _APPLE_LAYOUTS.get(tag)
