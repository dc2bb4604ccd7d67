"""The settings of an encoder: every choice that a user can make about a stream."""

from __future__ import annotations

from dataclasses import dataclass

from nacli.arguments import expect, integer, number

DEFAULT_EFFORT = 1
"""The default effort gives the most quality for its time; docs/experiments/ has the figures."""
EFFORTS = (1, 4, 8)
"""Candidates that the code search keeps for each frame, by effort."""
DEFAULT_BITRATES = {1: 6.0, 2: 10.0}
"""kbps by channel count; more channels take 5 each."""
MAX_QUALITY = 10.0


@dataclass(frozen=True)
class EncoderSettings:
    """Settings of a stream, besides its sample rate and channel count.

    Args:
        bitrate: kbps of the packets, all channels together; header, tags and picture are not
            counted. The default is 6 for mono, 10 for stereo, and 5 for each of more channels.
        quality: 0 to 10 instead of a bitrate: one allocation level for the whole stream.
        effort: 0 (fast) to 2 (slow, better at the same size).
        packet_frames: frames of 1/75 s in a packet, 1 to 4096. Short packets cost bits for framing.
        sample_format: what the recording was stored as (libsndfile's name), for the header.
        tags: "NAME=value" each, or a dictionary, for the header; at most 1 MiB together.
        picture: the body of a FLAC picture block (type, MIME type, image...); at most 16 MiB.

    Raises:
        ValueError: quality or effort out of range, or a quality beside a bitrate.
        TypeError: a value of another type.
    """

    bitrate: float | None = None
    quality: float | None = None
    effort: int = DEFAULT_EFFORT
    packet_frames: int = 150
    sample_format: str = "PCM_16"
    tags: tuple[str, ...] = ()
    picture: bytes | None = None

    def __post_init__(self) -> None:
        self._convert_types()
        if not 0 <= self.effort < len(EFFORTS):
            raise ValueError(f"effort {self.effort} is not within 0..{len(EFFORTS) - 1}")
        if self.quality is None:
            return
        if self.bitrate is not None:
            raise ValueError("a bitrate or a quality, not both")
        if not 0 <= self.quality <= MAX_QUALITY:
            raise ValueError(f"quality {self.quality:g} is not within 0 to {MAX_QUALITY:g}")

    def _convert_types(self) -> None:
        """Take numbers of any numeric type, and tags in each form that users write."""
        expect("sample_format", self.sample_format, str, "a name such as 'PCM_16'")
        expect("picture", self.picture, (bytes, type(None)), "bytes or None")
        values = {
            "bitrate": None if self.bitrate is None else number("bitrate", self.bitrate),
            "quality": None if self.quality is None else number("quality", self.quality),
            "effort": integer("effort", self.effort),
            "packet_frames": integer("packet_frames", self.packet_frames),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)  # the class is frozen

    def target_bitrate(self, channels: int) -> float | None:
        """Return the bitrate of a stream in kbps; None where a quality takes its place."""
        if self.quality is not None:
            return None
        if self.bitrate is not None:
            return self.bitrate
        return DEFAULT_BITRATES.get(channels, 5.0 * channels)


DEFAULT_SETTINGS = EncoderSettings()
