"""The codes of a packet: everything that its payload holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nacli.types import Integers

NO_CORRECTIONS = np.zeros((0, 0), dtype=np.int32)


@dataclass(frozen=True)
class ChannelCodes:
    """The codes of one channel of a packet.

    Attributes:
        gains: gain indices [F].
        codes: codes of the latents [F, N]; those of a frame after its stage count are 0.
        counts: stage counts [F].
        corrections: codes of the envelope corrections [S, T], by span; those of a span after its
            number of codes are 0.
        correction_counts: number of correction codes of each span [S].
        high: levels of the high band [S', n], in spans of another length; None where the stream has
            no high band.
    """

    gains: Integers
    codes: Integers
    counts: Integers
    corrections: Integers = field(default_factory=lambda: NO_CORRECTIONS)
    correction_counts: Integers = field(default_factory=lambda: NO_CORRECTIONS.ravel())
    high: Integers | None = None


@dataclass(frozen=True)
class PacketCodes:
    """The codes of a packet, by channel, and the angles of its stereo rotation in steps: none where
    channels are coded as they are, else that of the coded signal, and that of the high band if the
    stream has one."""

    channels: list[ChannelCodes]
    angles: tuple[int, ...] = ()
