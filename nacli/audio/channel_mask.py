"""Which speaker each channel is for: the channel mask of WAVE_FORMAT_EXTENSIBLE.

A .nac file carries it as the comment that FLAC has for it (RFC 9639, section 8.6.2).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

CHANNEL_MASK = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
FLAC_MASKS = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
"""What FLAC's channels are where it has no such comment (RFC 9639, section 9.1.3)."""

_USUAL = (0, 0x4, 0x3)
"""No mask, mono and left with right: a plain header says the same."""
_VALUE = re.compile(r"0[xX]0*[0-9a-fA-F]{1,8}")
_USE_BITMAP = 1 << 16
_APPLE_LAYOUTS = {
    (100 << 16) + 1: 0x4,
    (101 << 16) + 2: 0x3,
    (108 << 16) + 4: 0x33,
    (113 << 16) + 3: 0x7,
    (117 << 16) + 5: 0x37,
    (121 << 16) + 6: 0x3F,
}
"""Tags of Apple's channel layouts (CoreAudioBaseTypes.h), of the same channels in the same order as
in WAV: mono, stereo, quadraphonic, MPEG 3.0 A, 5.0 A and 5.1 A. `_USE_BITMAP` has a mask in it."""


def mask_tags(mask: int) -> list[str]:
    """The tag for a mask, if it says more than the number of channels does."""
    return [] if mask in _USUAL else [f"{CHANNEL_MASK}=0x{mask:04X}"]


def is_mask(tag: str) -> bool:
    """Whether a tag is a channel mask that can be written, such as "...=0x003F"."""
    name, _, value = tag.partition("=")
    return name.upper() == CHANNEL_MASK and _VALUE.fullmatch(value) is not None


def channel_mask(tags: Iterable[str]) -> int | None:
    """The mask among tags; None where there is none."""
    found = (int(tag.partition("=")[2], 16) for tag in tags if is_mask(tag))
    return next(found, None)


def apple_mask(chunk: bytes) -> int | None:
    """The mask of a channel layout as AIFF and CAF have it; None for layouts of other kinds."""
    if len(chunk) < 8:
        return None
    tag, bitmap = struct.unpack_from(">II", chunk)
    return bitmap if tag == _USE_BITMAP else _APPLE_LAYOUTS.get(tag)
