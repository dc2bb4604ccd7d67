"""Convert headerless PCM to samples and back. Sample formats have libsndfile's names."""

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
"""Bytes of one sample of one channel, for the formats that this module reads and writes."""

SHORT_NAMES = {
    "s8": "PCM_S8",
    "u8": "PCM_U8",
    "s16": "PCM_16",
    "s24": "PCM_24",
    "s32": "PCM_32",
    "f32": "FLOAT",
    "f64": "DOUBLE",
}
"""The same formats by their names on the command line; all are little-endian."""

BIT_DEPTHS = {"8": "PCM_U8", "16": "PCM_16", "24": "PCM_24", "32": "PCM_32", "32f": "FLOAT"}
"""Sample formats by bit depth. Containers that have only signed samples of 8 bits get these."""


@dataclass(frozen=True)
class AudioInfo:
    """The properties of an audio file, and its metadata."""

    sample_rate: int
    """In Hz."""
    channels: int
    sample_format: str
    """A libsndfile subtype such as "PCM_16"."""
    samples: int | None
    """Length per channel; None if it is unknown."""
    tags: tuple[str, ...] = ()
    """"NAME=value" each, as in Vorbis comments."""
    picture: bytes | None = None
    """The body of a FLAC picture block."""
    dropped: tuple[str, ...] = ()
    """Names of metadata in the file that is not kept."""


class ByteStream(Protocol):
    """A stream that can be read."""

    def read(self, size: int, /) -> bytes: ...


class Pushback:
    """A byte stream into which bytes can be put back. Reads are short only at its end."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._returned = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer than `size` only at the end."""
        data, self._returned = self._returned[:size], self._returned[size:]
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        return data

    def unread(self, data: bytes) -> None:
        """Put bytes back, to be read next."""
        self._returned = data + self._returned


class PcmStream:
    """Samples from a byte stream: `info.samples` of them, or all if that is None."""

    def __init__(self, source: Pushback, info: AudioInfo) -> None:
        self._source = source
        self._info = info
        self._left = info.samples

    def read(self, samples: int) -> Pcm:
        """Return the next samples [T, C]; T < `samples` only at the end."""
        count = samples if self._left is None else min(samples, self._left)
        data = self._source.read(count * sample_size(self._info))
        pcm = decode_samples(data, self._info.sample_format, self._info.channels)
        if self._left is not None:
            self._left -= len(pcm)
        return pcm


def sample_size(info: AudioInfo) -> int:
    """Return the bytes of one sample of all channels."""
    return SAMPLE_BYTES[info.sample_format] * info.channels


def decode_samples(data: bytes, sample_format: str, channels: int) -> Pcm:
    """Convert bytes (little-endian, interleaved) to samples [T, C]. An incomplete last sample is
    dropped."""
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
    """Convert samples [T, C] to bytes (little-endian, interleaved); the inverse of
    `decode_samples`."""
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
