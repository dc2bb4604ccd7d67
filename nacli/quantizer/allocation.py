"""How many stages each frame of a packet gets, and the rate control that decides.

The stage counts follow from the gains, which are decoded first, and from one `level` per channel:
no further bits say how they vary. All arithmetic is on integers, so every machine agrees.
"""

from __future__ import annotations

import numpy as np

from nacli.config import GAIN_LEVELS
from nacli.entropy import CODER_BYTES
from nacli.errors import UnsupportedAudio
from nacli.format import packet_cost
from nacli.types import Integers

DEFAULT_BITRATES = {1: 6.0, 2: 10.0}
"""kbps by channel count; more channels take 5 each."""
MIN_BITRATE, MAX_BITRATE = 1.5, 24.0
GAIN_KBPS = 0.3
"""Per channel, for its gains: four bits each, which is more than they take on average."""

STEPS_PER_STAGE = 8
"""Levels are eighths of a stage; where a level falls between two counts, frames alternate."""
DITHER = np.array([0, 4, 2, 6, 1, 5, 3, 7], dtype=np.int32)
FALL = 3
"""Levels that a frame loses per gain step under the loudest of its packet."""
SIDE_LEVEL = -8
"""Levels that the side channel gets less than the mid channel: one stage."""
QUIET = 24
"""Gain steps under the loudest frame from which a frame may get no stage at all."""


def default_bitrate(channels: int) -> float:
    """kbps of the whole file when none is asked for."""
    return DEFAULT_BITRATES.get(channels, 5.0 * channels)


def check_bitrate(bitrate: float, channels: int, packet_frames: int, frame_rate: float) -> None:
    """Raise `UnsupportedAudio` for kbps out of range, or too few for framing and gains."""
    most = MAX_BITRATE * max(1, channels / 2)
    if not MIN_BITRATE <= bitrate <= most:
        raise UnsupportedAudio(f"bitrate {bitrate:g} kbps is not within 1.5 to {most:g} kbps")
    seconds = packet_frames / frame_rate
    framing = packet_cost(channels, CODER_BYTES, packet_frames, packet_frames)
    least = framing * 8 / 1000 / seconds + GAIN_KBPS * channels
    if bitrate < least:
        packets = f"{channels} channels in packets of {1000 * seconds:.0f} ms"
        raise UnsupportedAudio(f"{bitrate:g} kbps cannot hold {packets} (at least {least:.1f})")


def stage_counts(gains: Integers, level: int, stages: int, peak: int) -> Integers:
    """Stage counts [F] for gains [F] of one channel; `peak` is the packet's largest gain.

    A frame loses three eighths of a stage per gain step (1.5 dB) under the peak; silence
    (gain 0) gets none.
    """
    below = peak - gains
    dither = DITHER[np.arange(len(gains)) % len(DITHER)]
    counts = (level + dither - FALL * below) // STEPS_PER_STAGE
    least = np.where((below < QUIET) & (level >= STEPS_PER_STAGE), 1, 0)
    return np.where(gains > 0, np.clip(counts, least, stages), 0).astype(np.int32)


def packet_counts(gains: Integers, levels: tuple[int, ...], stages: int) -> Integers:
    """Stage counts [C, F] of a packet from its gains [C, F] and levels."""
    peak = int(gains.max(initial=0))
    rows = zip(gains, levels, strict=True)
    return np.stack([stage_counts(row, level, stages, peak) for row, level in rows])


def packet_levels(level: int, channels: int) -> tuple[int, ...]:
    """One level per coded channel; the side of a stereo pair gets less."""
    if channels == 2:
        return level, max(0, level + SIDE_LEVEL)
    return (level,) * channels


def highest_level(stages: int) -> int:
    """The level at which frames keep every stage, however quiet; it must fit a byte."""
    return min(255, (stages + 1) * STEPS_PER_STAGE + FALL * GAIN_LEVELS)


class QualityControl:
    """One allocation level for a whole stream: packets that are quieter than those before get as
    many stages as quiet frames of one packet would."""

    ENOUGH_DB = 5.0
    """At quality 0; each step of quality asks for one more."""
    FORGETS = 1.0
    """Gain steps (1.5 dB) a second that the ear forgets of what was loud."""

    def __init__(self, quality: float) -> None:
        """`quality` is 0 to 10, else `ValueError`; about 5 gives speech what 6 kbps do."""
        if not 0 <= quality <= 10:
            raise ValueError(f"quality {quality:g} is not within 0 to 10")
        self._level = round(STEPS_PER_STAGE * (1 + 2 * quality))
        self.enough_db = self.ENOUGH_DB + quality
        self._loudest = 0.0

    def level(self, gains: Integers, seconds: float) -> int:
        """The level of the next packet, from its gains [C, F] and playing time."""
        peak = int(gains.max(initial=0))
        self._loudest = max(peak, self._loudest - self.FORGETS * seconds)
        below = int(FALL * (self._loudest - peak))
        return max(STEPS_PER_STAGE, self._level - below)


class RateControl:
    """Keeps the bytes of all packets at or under the bitrate, on average since the start.

    Bytes that quiet packets leave over are spent over the next few, never ahead of time, so the
    promise holds for every prefix of the stream. What a long silence saves stays saved, since what
    comes after it is no harder than what came before. A few bytes are held back for the last
    packet, which may be short and pays for its framing all the same.
    """

    SPREAD = 4
    """Packets over which a saving is spent, none of them more than doubled by it."""
    CREDIT_SECONDS = 4.0
    """Of the bitrate that are kept as a saving at most, or SPREAD packets if these are longer."""

    enough_db = 13.0
    """More stages than give the latents of a packet this signal-to-noise ratio are wasted on it.
    Speech and music need more than there are; plain tones need three."""

    def __init__(self, bitrate: float, reserve: int) -> None:
        """`bitrate` in kbps, `reserve` in bytes."""
        self._bytes_per_second = bitrate * 1000 / 8
        self._reserve = reserve
        self._saved = -float(reserve)

    def share(self, seconds: float) -> float:
        """Bytes of a packet, `seconds` long, if all were alike."""
        return self._bytes_per_second * seconds

    def budget(self, seconds: float, last: bool = False) -> int:
        """Bytes that the next packet, `seconds` long, may take."""
        share = self.share(seconds)
        if last:
            return int(share + self._saved + self._reserve)
        more = min(share, self._saved / self.SPREAD) if self._saved > 0 else self._saved / 2
        return int(share + more)

    def spend(self, seconds: float, size: int) -> None:
        """Record that a packet of `seconds` took `size` bytes."""
        credit = self._bytes_per_second * max(self.CREDIT_SECONDS, self.SPREAD * seconds)
        self._saved = min(credit, self._saved + self._bytes_per_second * seconds - size)
