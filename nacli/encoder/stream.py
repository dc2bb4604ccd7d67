"""The encoder of a stream: pcm in blocks of any size to the bytes of a .nac file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from nacli.arguments import check_model, integer, tag_list
from nacli.audio import check_supported
from nacli.audio.samples import checked
from nacli.blas import one_thread
from nacli.checkpoint import Model
from nacli.config import MAX_PACKET_FRAMES
from nacli.encoder.analyzer import Analyzer
from nacli.encoder.packet_encoder import PacketEncoder
from nacli.encoder.packet_source import PacketSource
from nacli.encoder.packet_writer import PacketWriter
from nacli.encoder.pre_processing import clipping_message, limited
from nacli.encoder.rate_control import QualityControl, RateControl, check_bitrate
from nacli.encoder.settings import DEFAULT_SETTINGS, EncoderSettings
from nacli.errors import UnsupportedAudio, counted
from nacli.format import (
    ChannelMode,
    Header,
    SampleFormat,
    StreamInfo,
    TableSection,
    channel_mode,
    pack_header,
    short_digest,
)
from nacli.timing import frame_count
from nacli.types import Pcm

TAIL_RESERVE = 18
"""Bytes held back for a short last packet: its framing, and a frame or two."""
FINISHED = "this Encoder has finished: each recording needs one of its own"


class Encoder:
    """Turns pcm [T, C] into a .nac stream, packet by packet, in bounded memory.

    Any way of cutting the input into calls gives the same bytes. Two threads share the work: the
    prefetch thread takes samples, analyses packets and searches their codes (`_taken`, `_analyzer`
    and `_source` belong to it while a call takes packets), and the caller's thread chooses and
    packs (everything else).
    """

    def __init__(
        self,
        model: Model,
        sample_rate: int,
        channels: int,
        settings: EncoderSettings = DEFAULT_SETTINGS,
        *,
        samples: int | None = None,
    ) -> None:
        """`samples` goes into the header if the length is known beforehand.

        Raises `UnsupportedAudio` for a rate, channel count or bitrate out of range, `ValueError`
        for packets outside 1 to 4096 frames and for malformed tags or pictures; `TypeError` for
        arguments of other types.
        """
        check_model(model)
        sample_rate, channels = integer("sample_rate", sample_rate), integer("channels", channels)
        samples = None if samples is None else integer("samples", samples)
        check_supported(sample_rate, channels)
        control = _control(model, channels, settings)
        self._hop, self._control = model.config.hop, control
        self._header = make_header(model, sample_rate, channels, settings, samples)
        stream, frame_rate = self._header.stream, model.config.frame_rate
        stereo = stream.channel_mode == ChannelMode.ROTATED
        high_band = model.codes_high_band(sample_rate)
        encoder = PacketEncoder(model, channels, settings)
        self._analyzer = Analyzer(model, sample_rate, channels, stereo, high_band)
        self._source = PacketSource(
            self._analyzer, encoder, control, settings.packet_frames, frame_rate
        )
        self._writer = PacketWriter(stream, encoder, control, frame_rate)
        self._samples, self._clipped = 0, 0
        self._started = self._finished = False

    @property
    def header(self) -> Header:
        """The stream's header, as it was or will be written."""
        return self._header

    @property
    def samples(self) -> int:
        """Samples taken so far, at the original rate."""
        return self._samples

    @property
    def check(self) -> bytes:
        """Digest of the codes of all packets so far; at the end, that of the end record."""
        return self._writer.check

    @property
    def bitrate_out_of_reach(self) -> bool:
        """Whether the packets so far take clearly less than the target bitrate because they have
        all stages; not where the sound is silent or simple."""
        return isinstance(self._control, RateControl) and self._control.out_of_reach

    @property
    def warnings(self) -> tuple[str, ...]:
        """The changes made to the samples so far, a line for each kind of change."""
        made = []
        if self._clipped:
            samples = self._samples * self._header.stream.channels
            made.append(clipping_message(self._clipped, samples))
        if self._analyzer.dc_offset:
            made.append(f"a constant offset (DC) of {self._analyzer.dc_offset:.2f} was removed")
        return tuple(made)

    def encode(self, pcm: Any) -> bytes:
        """Take pcm [T, C], or [T] for one channel: floats in +-1, or integers of 8, 16 or 32 bits
        with their own full scale. Return the bytes that are complete, the header first. Samples
        beyond +-4 are clipped, and `warnings` says so.

        Raises `UnsupportedAudio` for samples of another shape or type, infinite, or not a number,
        and `ValueError` after `finish`.
        """
        return b"".join(self._written([self._taken(pcm)]))

    def encode_blocks(self, blocks: Iterable[Any]) -> Iterator[bytes]:
        """As `encode` for one block after another: yields the header, if it is still to come, and
        each packet as soon as it is complete. Take all that this yields before any other call.

        `blocks` is iterated in the prefetch thread, while earlier packets are written. That thread
        serves all streams of the process: `blocks` must not come from another Encoder or Decoder,
        and must not wait long for samples.
        """
        return self._written(map(self._taken, blocks))

    def _written(self, blocks: Iterable[Pcm]) -> Iterator[bytes]:
        """Yield the header, if it is still to come, and the packets that blocks complete."""
        with one_thread():
            if header := self._begin():
                yield header
            with closing(self._source.packets(blocks)) as packets:
                for packet in packets:
                    yield self._writer.write(packet)

    def _taken(self, pcm: Any) -> Pcm:
        """Check, limit and count the samples of a block."""
        if self._finished:
            raise ValueError(FINISHED)
        pcm = checked(pcm)
        if pcm.shape[1] != self._header.stream.channels:
            found, expected = pcm.shape[1], self._header.stream.channels
            message = f"pcm has {counted(found, 'channel')}, and the stream {expected}"
            raise UnsupportedAudio(message)
        limited_pcm, clipped = limited(pcm)
        self._clipped += clipped
        self._samples += len(pcm)
        return limited_pcm

    @one_thread()
    def finish(self) -> bytes:
        """Return the last packet and the end record. After this, every call raises
        `ValueError`."""
        if self._finished:
            raise ValueError(FINISHED)
        self._finished = True
        self._analyzer.flush()
        made = [self._begin(), *self._packets()]
        sample_rate = self._header.stream.sample_rate
        self._analyzer.pad(frame_count(self._samples, sample_rate, self._hop))
        made += self._packets()
        if packet := self._source.last():
            made.append(self._writer.write_last(packet, self._samples))
        return b"".join([*made, self._writer.end(self._samples)])

    def _begin(self) -> bytes:
        """Return the header, before the first packet."""
        if self._started:
            return b""
        self._started = True
        return pack_header(self._header)

    def _packets(self) -> list[bytes]:
        """Return the packets of full length that are complete."""
        return [self._writer.write(packet) for packet in self._source.packets([])]


def _control(
    model: Model, channels: int, settings: EncoderSettings
) -> RateControl | QualityControl:
    """Return the control of the stream's rate or quality. Raises `ValueError` and
    `UnsupportedAudio` for packets or a bitrate out of range."""
    frames = settings.packet_frames
    if not 1 <= frames <= MAX_PACKET_FRAMES:
        raise ValueError(f"packet_frames {frames} is not within 1..{MAX_PACKET_FRAMES}")
    bitrate = settings.target_bitrate(channels)
    if bitrate is None:
        return QualityControl(settings.quality or 0.0)
    check_bitrate(bitrate, channels, frames, model.config.frame_rate)
    return RateControl(bitrate, TAIL_RESERVE)


def make_header(
    model: Model, sample_rate: int, channels: int, settings: EncoderSettings, samples: int | None
) -> Header:
    """Return the header of a file made with `model`, which names the tables by their digests."""
    stream = StreamInfo(
        sample_rate,
        channels,
        channel_mode(channels),
        SampleFormat.named(settings.sample_format),
        samples,
        model.config.hop,
        settings.packet_frames,
        model.codebooks.stages,
    )
    codebooks = TableSection(model.codebooks.digest, None, 0)
    entropy = TableSection(model.entropy.digest, None, model.entropy.KIND)
    digest = short_digest(model.digest)
    tags = tag_list(settings.tags)
    return Header(stream, digest, codebooks, entropy, tags, settings.picture)
