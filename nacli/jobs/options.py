"""The options of a conversion, which all files of a batch share. They can be pickled."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from nacli.encoder.settings import DEFAULT_SETTINGS, EncoderSettings
from nacli.files.names import input_name
from nacli.jobs.resources import load_model, load_picture

if TYPE_CHECKING:
    from nacli.audio import AudioInfo
    from nacli.checkpoint import Model
    from nacli.jobs.progress import OnProgress, Progress

OnGap = Callable[[str], None]
"""A function that is called with a line about each gap, as soon as it is known."""


@dataclass(frozen=True, kw_only=True)
class Options(ABC):
    """The options that encoding and decoding have in common.

    Args:
        model: path of the checkpoint; None is the built-in one.
        device: the networks run on it, one of `nacli.networks.DEVICES`.
        force: existing outputs are replaced.
        skip_existing: existing outputs are left as they are, also with `force`.
        delete_input: an input is deleted after its output was read back from the disk.
        make_folders: missing folders of outputs are made.
    """

    COMMAND: ClassVar[str]

    model: str | None = None
    device: str = "cpu"
    force: bool = False
    skip_existing: bool = False
    delete_input: bool = False
    make_folders: bool = False

    def load_model(self) -> Model:
        """Return the model, which is loaded once per process. Raises `NacliError`."""
        return load_model(self.model, self.device)

    @abstractmethod
    def convert(self, source: str, target: str, on_progress: OnProgress, on_gap: OnGap) -> Progress:
        """Convert one file. Raises `NacliError`."""

    def seconds_to_convert(self, source: str, target: str) -> float | None:
        """Return the seconds of audio that the conversion takes; as `audio_seconds`, but 0 where
        the existing output is left as it is."""
        skips = self.skip_existing and target != "-" and os.path.isfile(target)
        return 0.0 if skips else self.audio_seconds(source)

    def audio_seconds(self, source: str) -> float | None:
        """Return the seconds of audio in the header of `source`, or in the chosen part; None where
        the header does not give its length. Raises the errors of reading the header."""
        return None


@dataclass(frozen=True, kw_only=True)
class EncodeOptions(Options):
    """The options of encoding.

    Args:
        settings: the settings of the encoder.
        picture: path of an image file for the front cover.
        keep_tags: tags and picture of the input are kept; a channel mask always is.
        verify: every packet is read back as it is written.
        raw_rate: sample rate in Hz of an input that has samples and no header; None for others.
        raw_channels, raw_format: layout of that input (one of `audio.SHORT_NAMES`).
    """

    COMMAND = "encode"

    settings: EncoderSettings = DEFAULT_SETTINGS
    picture: str | None = None
    keep_tags: bool = True
    verify: bool = False
    raw_rate: int | None = None
    raw_channels: int = 1
    raw_format: str = "s16"

    def convert(self, source: str, target: str, on_progress: OnProgress, on_gap: OnGap) -> Progress:
        from nacli.jobs.encode_file import encode_file

        return encode_file(source, target, self.load_model(), self, on_progress)

    def audio_seconds(self, source: str) -> float | None:
        from nacli.audio import header_seconds

        return header_seconds(source, self.raw_info())

    def encoder_settings(self) -> EncoderSettings:
        """Return `settings` with the cover picture. Raises `UnreadableInput`."""
        if not self.picture:
            return self.settings
        return replace(self.settings, picture=load_picture(self.picture))

    def raw_info(self) -> AudioInfo | None:
        """Return the layout of an input without a header; None for files that have one."""
        from nacli.audio import SHORT_NAMES, AudioInfo

        if self.raw_rate is None:
            return None
        return AudioInfo(self.raw_rate, self.raw_channels, SHORT_NAMES[self.raw_format], None)


@dataclass(frozen=True, kw_only=True)
class DecodeOptions(Options):
    """The options of decoding.

    Args:
        start, stop: the part that is decoded, as `parse_position` takes them; None is the end.
        strict: damage is an error; otherwise it is concealed.
        keep_tags: the output gets the tags and the picture; a channel mask it always gets.
        raw: the output has samples and no header.
        raw_format: sample format of such an output; None is that of the original.
        bits: bits of a sample in an output with a header: "8" to "32", or "32f" for floats; None is
            the original's.
    """

    COMMAND = "decode"

    start: str = "0"
    stop: str | None = None
    strict: bool = False
    keep_tags: bool = True
    raw: bool = False
    raw_format: str | None = None
    bits: str | None = None

    def convert(self, source: str, target: str, on_progress: OnProgress, on_gap: OnGap) -> Progress:
        from nacli.jobs.decode_file import decode_file

        name = input_name(source)
        return decode_file(
            source,
            target,
            self.load_model(),
            self,
            on_progress,
            lambda gap: on_gap(f"{name}: {gap}"),
        )

    def audio_seconds(self, source: str) -> float | None:
        from nacli.decoder.position import parse_position
        from nacli.inspection.info import read_header

        if source == "-" or not os.path.isfile(source):
            return None
        stream = read_header(source).stream
        if stream.samples is None:
            return None
        rate, end = stream.sample_rate, stream.samples
        start = parse_position(self.start).sample(rate)
        if self.stop is not None:
            end = min(end, parse_position(self.stop).sample(rate))
        return max(0, end - start) / stream.sample_rate

    def sample_format(self) -> str | None:
        """Return the chosen sample format by libsndfile's name; None is that of the original."""
        from nacli.audio import BIT_DEPTHS, SHORT_NAMES

        if self.bits:
            return BIT_DEPTHS[self.bits]
        return SHORT_NAMES[self.raw_format] if self.raw_format else None
