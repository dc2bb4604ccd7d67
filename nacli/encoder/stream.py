"""The encoder of a stream: pcm in blocks of any size to the bytes of a .nac file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from nacli.arguments import check_model, integer, tag_list
from nacli.audio import check_supported
from nacli.audio.samples import checked
from nacli.checkpoint import Model
from nacli.config import MAX_PACKET_FRAMES
from nacli.encoder.analyzer import Analyzer
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket
from nacli.encoder.packet_encoder import EncodedPacket, PacketEncoder
from nacli.encoder.pre_processing import clipping_message, limited
from nacli.encoder.rate_control import QualityControl, RateControl, check_bitrate, fullness
from nacli.encoder.settings import DEFAULT_SETTINGS, EncoderSettings
from nacli.entropy import update_codes_digest
from nacli.errors import UnsupportedAudio, counted
from nacli.format import (
    ChannelMode,
    EndRecord,
    Header,
    Packet,
    SampleFormat,
    SeekTable,
    StreamInfo,
    TableSection,
    channel_mode,
    pack_end,
    pack_header,
    pack_packet,
    short_digest,
)
from nacli.prefetch import prefetch
from nacli.timing import frame_count

TAIL_RESERVE = 18
"""Bytes held back for a short last packet: its framing, and a frame or two."""
PACKETS_AHEAD = 2
"""Packets that are analysed and searched ahead, in the prefetch thread."""


class Encoder:
    """Turns pcm [T, C] into a .nac stream, packet by packet, in bounded memory.

    Any way of cutting the input into calls gives the same bytes. Two threads share the work: the
    prefetch thread analyses packets and searches their codes (`_analyzer` belongs to it during a
    call), and the caller's thread chooses, packs and counts (everything else).
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
        """`samples` goes into the header where the length is known beforehand.

        Raises `UnsupportedAudio` for a rate, channel count or bitrate out of range, `ValueError`
        for packets outside 1 to 4096 frames and for unsound tags or pictures; `TypeError` for
        arguments of other types.
        """
        check_model(model)
        sample_rate, channels = integer("sample_rate", sample_rate), integer("channels", channels)
        samples = None if samples is None else integer("samples", samples)
        check_supported(sample_rate, channels)
        frames = settings.packet_frames
        if not 1 <= frames <= MAX_PACKET_FRAMES:
            raise ValueError(f"packet_frames {frames} is not within 1..{MAX_PACKET_FRAMES}")
        bitrate = settings.target_bitrate(channels)
        if bitrate is not None:
            check_bitrate(bitrate, channels, frames, model.config.frame_rate)
        self._rate = None if bitrate is None else RateControl(bitrate, TAIL_RESERVE)
        self._quality = QualityControl(settings.quality or 0.0)
        self._config, self._stages = model.config, model.codebooks.stages
        self._header = make_header(model, sample_rate, channels, settings, samples)
        stereo = self._header.stream.channel_mode == ChannelMode.MID_SIDE
        high_band = model.codes_high_band(sample_rate)
        self._analyzer = Analyzer(model, sample_rate, channels, stereo, high_band)
        self._packet_encoder = PacketEncoder(model, channels, settings)
        self._samples, self._coded_frames, self._coded_seconds = 0, 0, 0.0
        self._clipped = 0
        self._seek, self._digest = SeekTable(), hashlib.sha256()
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
        return self._digest.digest()[:8]

    @property
    def bitrate_out_of_reach(self) -> bool:
        """Whether the packets so far take clearly less than the target bitrate because they have
        all stages; not where the sound is silent or simple."""
        return self._rate is not None and self._rate.out_of_reach

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was changed in the samples so far, in one line for each kind of change."""
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
        self._check_open()
        pcm = checked(pcm)
        if pcm.shape[1] != self._header.stream.channels:
            found, expected = pcm.shape[1], self._header.stream.channels
            message = f"pcm has {counted(found, 'channel')}, and the stream {expected}"
            raise UnsupportedAudio(message)
        pcm, clipped = limited(pcm)
        self._clipped += clipped
        self._samples += len(pcm)
        self._analyzer.push(pcm)
        return b"".join([self._begin(), *self._whole_packets()])

    def finish(self) -> bytes:
        """The last packet and the end record. After this, every call raises `ValueError`."""
        self._check_open()
        self._finished = True
        self._analyzer.flush()
        made = [self._begin(), *self._whole_packets()]
        stream = self._header.stream
        self._analyzer.pad(frame_count(self._samples, stream.sample_rate, self._config))
        made += self._whole_packets()
        if frames := self._analyzer.pending_frames:
            packet = self._search(self._analyzer.take(frames))
            made.append(self._pack(packet, last=True))
        seek = self._seek
        end = EndRecord(self._samples, seek.packets, self.check, seek.interval, seek.entries)
        return b"".join([*made, pack_end(end)])

    def _check_open(self) -> None:
        if self._finished:
            raise ValueError("this Encoder has finished: each recording needs one of its own")

    def _begin(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return pack_header(self._header)

    def _whole_packets(self) -> list[bytes]:
        """Packets of full length. The codes of the next ones are searched while one is packed."""
        return [self._pack(packet) for packet in prefetch(self._searched(), PACKETS_AHEAD)]

    def _searched(self) -> Iterator[SearchedPacket]:
        frames = self._header.stream.frames_per_packet
        while self._analyzer.ready(frames):
            yield self._search(self._analyzer.take(frames))

    def _search(self, analysis: PacketAnalysis) -> SearchedPacket:
        seconds = analysis.gains.shape[1] / self._config.frame_rate
        if self._rate:
            return self._packet_encoder.search_ahead(analysis, self._rate.share(seconds))
        return self._packet_encoder.search(analysis, self._quality.level(analysis.gains, seconds))

    def _pack(self, searched: SearchedPacket, last: bool = False) -> bytes:
        """One packet, whose codes have been searched."""
        frames = searched.analysis.gains.shape[1]
        self._coded_frames += frames
        seconds = self._completed_seconds(last)
        encoded = self._choose(searched, seconds, last)
        packet = Packet(self._seek.packets & 0xFFFF, frames, encoded.levels, encoded.payload)
        data = pack_packet(packet, self._header.stream.frames_per_packet)
        if self._rate:
            self._rate.spend(seconds, len(data), fullness(encoded.channels, self._stages))
        self._seek.add(len(data))
        update_codes_digest(self._digest, encoded.channels)
        return data

    def _choose(self, packet: SearchedPacket, seconds: float, last: bool) -> EncodedPacket:
        if self._rate:
            budget = self._rate.budget(seconds, last)
            return self._packet_encoder.fit(packet, budget, self._rate.sufficient_snr_db)
        return self._packet_encoder.at_level(packet, self._quality.sufficient_snr_db)

    def _completed_seconds(self, last: bool) -> float:
        """Playing time that the packet completes; frame f completes hop f - 1."""
        total = self._samples / self._header.stream.sample_rate
        until = total if last else (self._coded_frames - 1) / self._config.frame_rate
        seconds, self._coded_seconds = until - self._coded_seconds, until
        return seconds


def make_header(
    model: Model, sample_rate: int, channels: int, settings: EncoderSettings, samples: int | None
) -> Header:
    """The header of a file made with `model`, which names the tables by their digests."""
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
