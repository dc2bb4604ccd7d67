"""The contents of a .nac file as values: header, packets, end record, and their limits.

Every value checks its limits when it is created and raises `ValueError`, for writers and readers
alike. Payloads and digests are opaque here. `header.py` and `packets.py` convert these values to
bytes and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from nacli.errors import counted
from nacli.format.picture import unpack_picture
from nacli.format.tags import check_tag

DIGEST_BYTES = 8
"""Bytes of a SHA-256 that a file stores: enough to exclude accidental matches."""

MAX_SAMPLE_RATE = 1_536_000
MAX_SAMPLES = 2**64 - 2
MAX_CHANNELS = 8
MAX_STAGES = 64
MAX_HOP = 65_535
MAX_FRAMES = 65_535
MAX_PAYLOAD_BYTES = 1 << 20
MAX_SEEK_ENTRIES = 4096
FIRST_SEEK_INTERVAL = 16


class ChannelMode(IntEnum):
    """Relation of the coded channels to the channels of the original file."""

    MONO = 0
    ROTATED = 1
    INDEPENDENT = 2


def channel_mode(channels: int) -> ChannelMode:
    """Return the channel mode for a channel count: mono, rotated for two channels, else
    independent."""
    modes = {1: ChannelMode.MONO, 2: ChannelMode.ROTATED}
    return modes.get(channels, ChannelMode.INDEPENDENT)


class SampleFormat(IntEnum):
    """Sample format of the original file. The names are those of libsndfile."""

    OTHER = 0
    PCM_S8 = 1
    PCM_U8 = 2
    PCM_16 = 3
    PCM_24 = 4
    PCM_32 = 5
    FLOAT = 6
    DOUBLE = 7
    ULAW = 8
    ALAW = 9

    @classmethod
    def named(cls, name: str) -> SampleFormat:
        """Return the format called `name`, or `OTHER` if it is not listed."""
        return cls.__members__.get(name, cls.OTHER)


class EntropyKind(IntEnum):
    """Kind of the entropy model that predicts the codes: fixed tables, or a learned model."""

    STATIC = 0
    LEARNED = 1


def short_digest(digest: bytes) -> bytes:
    """Return the start of a SHA-256 that files store, for writing and for comparison."""
    return digest[:DIGEST_BYTES]


def _require(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} {value} is not within {low}..{high}")


def _require_length(name: str, data: bytes, length: int) -> None:
    if len(data) != length:
        raise ValueError(f"{name} has {counted(len(data), 'byte')}, not {length}")


@dataclass(frozen=True)
class StreamInfo:
    """Properties of the original audio and of its frames. `samples`, per channel, is None if the
    length is unknown."""

    sample_rate: int
    channels: int
    channel_mode: ChannelMode
    sample_format: SampleFormat
    samples: int | None
    hop: int
    frames_per_packet: int
    stages: int

    def __post_init__(self) -> None:
        _require("sample rate", self.sample_rate, 1, MAX_SAMPLE_RATE)
        _require("channel count", self.channels, 1, MAX_CHANNELS)
        _require("sample count", self.samples or 0, 0, MAX_SAMPLES)
        _require("hop", self.hop, 1, MAX_HOP)
        _require("frames per packet", self.frames_per_packet, 1, MAX_FRAMES)
        _require("stage count", self.stages, 1, MAX_STAGES)
        modes = {ChannelMode.MONO: 1, ChannelMode.ROTATED: 2}
        if self.channels != modes.get(self.channel_mode, self.channels):
            channels = counted(self.channels, "channel")
            raise ValueError(f"channel mode {self.channel_mode} with {channels}")

    def angles(self, high_band: bool) -> int:
        """Return the number of angles of a packet, for a stream with or without a high band."""
        return 1 + high_band if self.channel_mode == ChannelMode.ROTATED else 0

    def payload_limit(self, frames: int) -> int:
        """Return the largest payload, in bytes, of a packet of `frames` frames: four bytes for each
        gain and code, and 64.

        No encoder needs as much. The limit keeps a broken length from stopping a live reader.
        """
        return min(MAX_PAYLOAD_BYTES, 64 + 4 * frames * self.channels * (1 + self.stages))


@dataclass(frozen=True)
class TableSection:
    """The digest of codebooks or entropy tables, their kind, and the reserved inline tables."""

    digest: bytes
    inline: bytes | None = None
    kind: int = 0

    def __post_init__(self) -> None:
        _require_length("table digest", self.digest, DIGEST_BYTES)


@dataclass(frozen=True)
class Header:
    """The contents of the header. `model` is the digest of the model, `tags` are "NAME=value" each,
    `picture` is the body of a FLAC picture block."""

    stream: StreamInfo
    model: bytes
    codebooks: TableSection
    entropy: TableSection
    tags: tuple[str, ...] = ()
    picture: bytes | None = None

    def __post_init__(self) -> None:
        _require_length("model digest", self.model, DIGEST_BYTES)
        _require("codebook kind", self.codebooks.kind, 0, 0)
        EntropyKind(self.entropy.kind)
        for tag in self.tags:
            check_tag(tag)
        if self.picture is not None:
            unpack_picture(self.picture)


@dataclass(frozen=True)
class Packet:
    """Consecutive frames of all channels. `sequence` is the number of the packet modulo 65,536,
    `levels` are the allocation levels of the channels."""

    sequence: int
    frames: int
    levels: tuple[int, ...]
    payload: bytes

    def __post_init__(self) -> None:
        _require("sequence", self.sequence, 0, 0xFFFF)
        _require("frame count", self.frames, 1, MAX_FRAMES)
        _require("level count", len(self.levels), 1, MAX_CHANNELS)
        _require("payload length", len(self.payload), 0, MAX_PAYLOAD_BYTES)


@dataclass(frozen=True)
class EndRecord:
    """Facts that are known only at the end of a stream.

    `samples` is the length per channel at the original rate, `check` the digest of all codes.
    `seek` holds the distances in bytes from the first packet to the packets `interval`, 2 x
    `interval` and so on.
    """

    samples: int
    packets: int
    check: bytes
    interval: int = FIRST_SEEK_INTERVAL
    seek: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _require("sample count", self.samples, 0, MAX_SAMPLES)
        _require("packet count", self.packets, 0, 0xFFFFFFFF)
        _require_length("check value", self.check, DIGEST_BYTES)
        _require("seek interval", self.interval, 1, 0xFFFFFFFF)
        _require("seek entry count", len(self.seek), 0, MAX_SEEK_ENTRIES)
        if any(after <= before for before, after in pairwise((0, *self.seek))):
            raise ValueError("seek entries do not rise")


@dataclass(frozen=True)
class Damage:
    """A run of bytes of the file that are no valid record. `offset` counts from the start of the
    file."""

    offset: int
    length: int
    reason: str
