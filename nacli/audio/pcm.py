"""Headerless PCM: samples to bytes and back. Sample formats have libsndfile's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nacli.types import Pcm

SAMPLE_BYTES = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
}
"""Bytes of one channel's sample, for the formats that this module reads and writes."""

SHORT_NAMES = {
    "s8": "PCM_S8",
    "u8": "PCM_U8",
    "s16": "PCM_16",
    "s24": "PCM_24",
    "s32": "PCM_32",
    "f32": "FLOAT",
    "f64": "DOUBLE",
}
"""What they are called on the command line; all of them little-endian."""

BIT_DEPTHS = {"8": "PCM_U8", "16": "PCM_16", "24": "PCM_24", "32": "PCM_32", "32f": "FLOAT"}
"""Sample formats by the bits of a sample; where only signed samples of 8 bits exist, these."""


@dataclass(frozen=True)
class AudioInfo:
    """What an audio file says of itself.

    sample_rate in Hz; sample_format is a libsndfile subtype such as "PCM_16"; samples is the length
    per channel, None if unknown; tags are "NAME=value" as in Vorbis comments, picture is the body
    of a FLAC picture block; dropped names what the file has beside these that is not kept.
    """

    sample_rate: int
    channels: int
    sample_format: str
    samples: int | None
    tags: tuple[str, ...] = ()
    picture: bytes | None = None
    dropped: tuple[str, ...] = ()


class ByteStream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Pushback:
    """A byte stream that takes bytes back, and whose reads are short only at its end."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._ahead = b""

    def read(self, size: int) -> bytes:
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        return data

    def unread(self, data: bytes) -> None:
        self._ahead = data + self._ahead


class PcmStream:
    """Samples from a byte stream, as many as `info` says, or all where it does not say."""

    def __init__(self, source: Pushback, info: AudioInfo) -> None:
        self._source = source
        self._info = info
        self._left = info.samples

    def read(self, samples: int) -> Pcm:
        """The next samples [T, C]; fewer than asked for only at the end."""
        wanted = samples if self._left is None else min(samples, self._left)
        data = self._source.read(wanted * sample_size(self._info))
        pcm = decode_samples(data, self._info.sample_format, self._info.channels)
        if self._left is not None:
            self._left -= len(pcm)
        return pcm


def sample_size(info: AudioInfo) -> int:
    """Bytes of one sample, all channels."""
    return SAMPLE_BYTES[info.sample_format] * info.channels


def decode_samples(data: bytes, sample_format: str, channels: int) -> Pcm:
    """Bytes (little-endian, interleaved) to samples [T, C]; a cut last sample is dropped."""
    width = SAMPLE_BYTES[sample_format]
    count = len(data) // (width * channels) * channels
    if sample_format in ("FLOAT", "DOUBLE"):
        with np.errstate(over="ignore"):
            pcm = np.frombuffer(data, f"<f{width}", count).astype(np.float32)
        return pcm.reshape(-1, channels)
    padded = np.zeros((count, 4), np.uint8)
    padded[:, 4 - width :] = np.frombuffer(data, np.uint8, count * width).reshape(-1, width)
    if sample_format == "PCM_U8":
        padded[:, 3] ^= 0x80  # unsigned to signed
    return (padded.view("<i4").astype(np.float32) * np.float32(2**-31)).reshape(-1, channels)


def encode_samples(pcm: Pcm, sample_format: str) -> bytes:
    """Samples [T, C] to bytes (little-endian, interleaved); `decode_samples` in reverse."""
    width = SAMPLE_BYTES[sample_format]
    if sample_format in ("FLOAT", "DOUBLE"):
        return pcm.astype(f"<f{width}").tobytes()
    padded = to_integers(pcm, 8 * width).astype("<i4").reshape(-1, 1).view(np.uint8)
    if sample_format == "PCM_U8":
        padded[:, 3] ^= 0x80  # signed to unsigned
    return padded[:, 4 - width :].tobytes()


def to_integers(pcm: Pcm, bits: int) -> NDArray[np.int32]:
    """Round samples [T, C] to integers of `bits` bits, in the high bits of int32. Clips at +-1."""
    scale = 2.0 ** (bits - 1)
    rounded = np.rint(pcm.astype(np.float64) * scale)
    return np.clip(rounded, -scale, scale - 1).astype(np.int32) << np.int32(32 - bits)
