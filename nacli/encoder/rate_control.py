"""Rate control: the bytes that the next packet may take, or its allocation level for a quality."""

from __future__ import annotations

from math import ceil

import numpy as np

from nacli.config import MAX_PACKET_FRAMES
from nacli.entropy import CODER_BYTES, ChannelCodes
from nacli.errors import UnsupportedAudio, counted
from nacli.format import packet_cost
from nacli.quantizer.allocation import LEVELS_PER_GAIN_STEP, LEVELS_PER_STAGE
from nacli.types import Integers

MIN_BITRATE, MAX_BITRATE = 1.5, 24.0
GAIN_KBPS = 0.3
"""Bitrate that is set aside for the gains of each channel: four bits a frame, more than they take
on average."""
STEREO_BYTES = 3
"""Largest number of bytes of the two angles of a packet of stereo."""

NEARLY_ALL = 0.75
"""Share of the stages at which the loudest frames of complex sounds nearly reach the target SNR."""


def check_bitrate(bitrate: float, channels: int, packet_frames: int, frame_rate: float) -> None:
    """Raise `UnsupportedAudio` for kbps out of range, or too few for framing and gains."""
    most = MAX_BITRATE * max(1, channels / 2)
    if not MIN_BITRATE <= bitrate <= most:
        raise UnsupportedAudio(
            f"bitrate {bitrate:g} kbps is not within {MIN_BITRATE:g} to {most:g} kbps"
        )
    least = _least_bitrate(channels, packet_frames, frame_rate)
    if bitrate < least:
        layout, frame = counted(channels, "channel"), 1000 / frame_rate
        raise UnsupportedAudio(
            f"{layout} in packets of {frame * packet_frames:.1f} ms take at least "
            f"{ceil(10 * least) / 10:.1f} kbps; at {bitrate:g} kbps, "
            + _longer_packets(bitrate, channels, packet_frames, frame_rate)
        )


def _longer_packets(bitrate: float, channels: int, packet_frames: int, frame_rate: float) -> str:
    """Say in words which longer packets a bitrate allows."""
    frame = 1000 / frame_rate
    for frames in range(packet_frames, MAX_PACKET_FRAMES + 1):
        if _least_bitrate(channels, frames, frame_rate) <= bitrate:
            return f"packets are of {ceil(frame * frames)} ms or more (in steps of {frame:.1f} ms)"
    return "no packets are long enough"


def _least_bitrate(channels: int, packet_frames: int, frame_rate: float) -> float:
    """Return the kbps of framing, gains, and the angles of stereo."""
    angles = STEREO_BYTES if channels == 2 else 0
    framing = packet_cost(channels, CODER_BYTES + angles, packet_frames, packet_frames)
    return framing * 8 / 1000 * frame_rate / packet_frames + GAIN_KBPS * channels


def fullness(channels: list[ChannelCodes], stages: int) -> float:
    """Return the share of a packet's frames that are not silent, if nearly all stages were used;
    else 0. Simple sounds, such as tones, need fewer stages."""
    counts = np.stack([channel.counts for channel in channels])
    if counts.max(initial=0) < NEARLY_ALL * stages:
        return 0.0
    return float((np.stack([channel.gains for channel in channels]) > 0).mean())


class QualityControl:
    """Keeps one allocation level for a whole stream.

    A packet that is quieter than the packets before it gets as many stages as quiet frames of one
    packet would.
    """

    BASE_SNR_DB = 5.0
    """Target signal-to-noise ratio of the latents at quality 0; each step of quality adds 1 dB."""
    STAGES_PER_STEP = 1.7
    """Stages of the loudest frames that a step of quality adds."""
    DECAY = 1.0
    """Gain steps (1.5 dB) per second by which the loudness that packets are compared with falls."""

    def __init__(self, quality: float) -> None:
        """`quality` is 0 to 10; for speech, 5 is about the quality of 6 kbps."""
        self._level = round(LEVELS_PER_STAGE * (1 + self.STAGES_PER_STEP * quality))
        self.sufficient_snr_db = self.BASE_SNR_DB + quality
        self._loudest = 0.0

    def level(self, gains: Integers, seconds: float) -> int:
        """Return the level of the next packet, from its gains [C, F] and playing time."""
        peak = int(gains.max(initial=0))
        self._loudest = max(peak, self._loudest - self.DECAY * seconds)
        below = int(LEVELS_PER_GAIN_STEP * (self._loudest - peak))
        return max(LEVELS_PER_STAGE, self._level - below)


class RateControl:
    """Keeps the bytes of all packets at or under the bitrate, on average since the start.

    Bytes that quiet packets save are spent over the next few packets and never in advance, so
    every prefix of the stream keeps the bitrate. What a long silence saves stays saved, because
    the sound after it is no harder to code than the sound before it. A few bytes are held back for
    the last packet, which may be short and still pays for its framing.
    """

    SPREAD = 4
    """Packets over which a saving is spent; none of them is more than doubled by it."""
    CREDIT_SECONDS = 4.0
    """Longest saving, in seconds of the bitrate, or SPREAD packets where these are longer."""
    TOLERANCE = 0.1
    """Share of the bitrate that may stay unused and is still near it."""
    sufficient_snr_db = 13.0
    """Signal-to-noise ratio of a packet's latents above which more stages are wasted. Speech and
    music need more stages than there are; plain tones need three."""

    def __init__(self, bitrate: float, reserve: int) -> None:
        """`bitrate` is in kbps; `reserve` bytes are held back for the last packet."""
        self._bytes_per_second = bitrate * 1000 / 8
        self._reserve = reserve
        self._saved = -float(reserve)
        self._allowed, self._spent, self._spare = 0.0, 0, 0.0
        self._budget = 0

    @property
    def out_of_reach(self) -> bool:
        """Whether the packets took clearly less than the bitrate, and left most of the rest because
        they had all stages, not because they were silent or simple."""
        unused = self._allowed - self._spent
        return unused > self.TOLERANCE * self._allowed and self._spare > unused / 2

    def share(self, seconds: float) -> float:
        """Return the bytes of a packet of `seconds` at the constant rate."""
        return self._bytes_per_second * seconds

    def budget(self, seconds: float, last: bool = False) -> int:
        """Return the bytes that the next packet, `seconds` long, may take."""
        share = self.share(seconds)
        more = min(share, self._saved / self.SPREAD) if self._saved > 0 else self._restored(share)
        self._budget = int(share + self._saved + self._reserve if last else share + more)
        return self._budget

    def _restored(self, share: float) -> float:
        """Return the part of a negative saving that the next packet restores: all of it, as the
        packet after may be the last, unless that is much of the packet's `share`; then half."""
        return min(self._saved / 2, max(self._saved, -share / 8))

    def spend(self, seconds: float, size: int, full: float = 0.0) -> None:
        """Record that a packet of `seconds` took `size` bytes; `full` is its `fullness`."""
        self._allowed += self.share(seconds)
        self._spent += size
        if size < (1 - self.TOLERANCE) * self._budget:
            self._spare += max(0.0, full * self.share(seconds) - size)
        credit = self._bytes_per_second * max(self.CREDIT_SECONDS, self.SPREAD * seconds)
        self._saved = min(credit, self._saved + self._bytes_per_second * seconds - size)
