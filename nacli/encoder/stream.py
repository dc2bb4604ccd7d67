"""The Encoder of a stream: pcm in blocks of any size to the bytes of a .nac file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.audio import Resampler, check_supported
from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.decoder.payload_reader import codes_high_band
from nacli.dsp import mid_side as channel_modes
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.high_band import RATE as HIGH_BAND_RATE
from nacli.dsp.high_band import HighBandAnalyzer, level_trajectories
from nacli.encoder.packet_encoder import DEFAULT_EFFORT, Analysis, Chosen, Draft, PacketEncoder
from nacli.encoder.pre_processing import PreProcess
from nacli.entropy import ChannelCodes
from nacli.errors import UnsupportedAudio
from nacli.format import (
    EndRecord,
    Header,
    Packet,
    SampleFormat,
    SeekTable,
    StreamInfo,
    TableSection,
    pack_end,
    pack_header,
    pack_packet,
    short_digest,
)
from nacli.prefetch import ahead
from nacli.quantizer.allocation import QualityControl, RateControl, check_bitrate, default_bitrate
from nacli.types import Floats, Integers

TAIL_RESERVE = 18
"""Bytes held back for a short last packet: its framing, and a frame or two."""
MAX_PACKET_FRAMES = 4096
"""Longest packet, 54 s: what one packet can make a reader allocate is bounded."""


class Encoder:
    """Turns pcm [T, C] into a .nac stream, packet by packet, in bounded memory.

    Any way of cutting the input into calls gives the same bytes.
    """

    def __init__(
        self,
        model: Model,
        sample_rate: int,
        channels: int,
        *,
        bitrate: float | None = None,
        quality: float | None = None,
        effort: int = DEFAULT_EFFORT,
        packet_frames: int = 150,
        samples: int | None = None,
        sample_format: str = "PCM_16",
        tags: Iterable[str] = (),
        picture: bytes | None = None,
        embed: bool = False,
    ) -> None:
        """`bitrate` is in kbps for the whole file, all channels and the container included;
        `quality`, 0 to 10, takes its place; `effort` is 0 (fast) to 3 (slow and better).

        `samples` goes into the header when it is known; `tags` are "NAME=value" each, `picture` is
        the body of a FLAC picture block; `embed` puts codebooks and entropy tables into the file.
        Raises `UnsupportedAudio` for a rate, channel count or bitrate out of range, `ValueError`
        for `packet_frames` outside 1 to 4096, an effort or quality out of range, bitrate and
        quality together, and unsound tags or pictures.
        """
        check_supported(sample_rate, channels)
        if not 1 <= packet_frames <= MAX_PACKET_FRAMES:
            raise ValueError(f"packet_frames {packet_frames} is not within 1..{MAX_PACKET_FRAMES}")
        if quality is None:
            bitrate = default_bitrate(channels) if bitrate is None else bitrate
            check_bitrate(bitrate, channels, packet_frames, model.config.frame_rate)
        elif bitrate is not None:
            raise ValueError("a bitrate or a quality, not both")
        self._rate = None if bitrate is None else RateControl(bitrate, TAIL_RESERVE)
        self._quality = QualityControl(quality or 0.0)
        self._model, self._packet_encoder = (
            model,
            PacketEncoder(model, channels, packet_frames, effort),
        )
        self._mode = channel_modes.mode_for(channels)
        self._header = make_header(
            model,
            StreamInfo(
                sample_rate,
                channels,
                self._mode,
                SampleFormat.named(sample_format),
                samples,
                model.config.hop,
                packet_frames,
                model.codebooks.stages,
            ),
            tuple(tags),
            picture,
            embed,
        )
        self._resampler = Resampler(sample_rate, model.config.sample_rate, channels)
        self._high: HighBandAnalyzer | None = None
        if codes_high_band(self._header.stream, model.entropy):
            resampler = Resampler(sample_rate, HIGH_BAND_RATE, channels)
            self._high = HighBandAnalyzer(resampler, channels, model.config.hop)
        self._pre = PreProcess(channels, model.config.hop)
        self._histories = model.networks.new_history()
        spectra = bark_spectra(model.config.hop, model.config.sample_rate)
        self._levels = BandEnergyMeter(channels, spectra)
        self._pending: Floats = np.zeros((0, channels), dtype=np.float32)
        self._samples, self._coded_hops = 0, 0
        self._seconds_paid = 0.0
        self._seek, self._check = SeekTable(), hashlib.sha256()
        self._started = False

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
        """Digest of the gains and codes of all packets so far; at the end, the end record's."""
        return self._check.digest()[:8]

    def encode(self, pcm: Floats) -> bytes:
        """Take pcm [T, C] of floats in +-1; return whatever bytes are complete, the header first.

        Raises `UnsupportedAudio` for samples of another shape or kind, infinite, or no number.
        """
        pcm = checked(pcm)
        if pcm.shape[1] != self._header.stream.channels:
            raise UnsupportedAudio(f"pcm has {pcm.shape[1]} channels, not those of the stream")
        self._samples += len(pcm)
        self._push(self._resampler.process(pcm))
        if self._high:
            self._high.push(channel_modes.mix(pcm, self._mode))
        return b"".join([self._begin(), *self._whole_packets()])

    def finish(self) -> bytes:
        """The last packet and the end record. The Encoder is spent after this."""
        self._push(self._resampler.flush())
        if self._high:
            self._high.flush()
        made = [self._begin(), *self._whole_packets()]
        self._pad()
        made += self._whole_packets()
        if len(self._pending):
            [draft] = self._drafts(len(self._pending) // self._model.config.hop)
            made.append(self._packet(draft, last=True))
        seek = self._seek
        end = EndRecord(self._samples, seek.packets, self.check, seek.interval, seek.entries)
        return b"".join([*made, pack_end(end)])

    def _begin(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return pack_header(self._header)

    def _whole_packets(self) -> list[bytes]:
        """Codes of the next packet are searched while the stages of one are chosen."""
        frames = self._header.stream.frames_per_packet
        return [self._packet(made, last=False) for made in ahead(self._drafts(frames), 2)]

    def _drafts(self, frames: int) -> Iterator[Draft]:
        """What may become of each so many frames that are pending."""
        samples = frames * self._model.config.hop
        while len(self._pending) >= samples and (self._high is None or self._high.ready(frames)):
            block, self._pending = self._pending[:samples], self._pending[samples:]
            pcm, silent = self._pre.process(block.T)
            latents, gains = self._model.networks.analyze(pcm, self._histories)
            gains = np.where(silent, 0, gains).astype(np.int32)
            energies = self._levels.measure(pcm)
            yield self._draft(Analysis(latents, gains, energies, self._high_levels(energies)))

    def _high_levels(self, energies: Floats) -> list[dict[int, Integers]]:
        """Those of the high band of the next hops, whose bands below have these energies
        [C, F, ...]; nothing where there is none."""
        if self._high is None:
            return []
        return list(map(level_trajectories, self._high.take(energies.shape[1]), energies))

    def _draft(self, packet: Analysis) -> Draft:
        """With a quality, codes are searched to the packet's own level."""
        gains = packet.gains
        seconds = gains.shape[1] / self._model.config.frame_rate
        if self._rate:
            return self._packet_encoder.sized_draft(packet, self._rate.share(seconds))
        return self._packet_encoder.draft(packet, self._quality.level(gains, seconds))

    def _push(self, pcm: Floats) -> None:
        self._pending = np.concatenate([self._pending, channel_modes.mix(pcm, self._mode)])

    def _pad(self) -> None:
        """Fill the last hop and add the one whose frame completes it at the decoder."""
        config = self._model.config
        frames = frame_count(self._samples, self._header.stream.sample_rate, config)
        wanted = (frames - self._coded_hops) * config.hop
        self._pending = self._pending[:wanted]
        self._pending = np.pad(self._pending, ((0, wanted - len(self._pending)), (0, 0)))

    def _packet(self, draft: Draft, last: bool) -> bytes:
        """One packet, whose codes have been searched."""
        frames = draft.packet.gains.shape[1]
        self._coded_hops += frames
        seconds = self._seconds(last)
        chosen = self._choose(draft, seconds, last)
        packet = Packet(self._seek.packets & 0xFFFF, frames, chosen.levels, chosen.payload)
        data = pack_packet(packet, self._header.stream.frames_per_packet)
        if self._rate:
            self._rate.spend(seconds, len(data))
        self._seek.add(len(data))
        update_check(self._check, chosen.channels)
        return data

    def _choose(self, draft: Draft, seconds: float, last: bool) -> Chosen:
        if self._rate:
            budget = self._rate.budget(seconds, last)
            return self._packet_encoder.fit(draft, budget, self._rate.enough_db)
        return self._packet_encoder.at_level(draft, self._quality.enough_db)

    def _seconds(self, last: bool) -> float:
        """Playing time that this packet completes; frame f completes hop f - 1."""
        config, total = self._model.config, self._samples / self._header.stream.sample_rate
        until = total if last else (self._coded_hops - 1) / config.frame_rate
        seconds, self._seconds_paid = until - self._seconds_paid, until
        return seconds


def checked(pcm: NDArray[Any]) -> Floats:
    """`pcm`, floats [T, C] or [T], as [T, C] float32; `UnsupportedAudio` for anything else."""
    if pcm.ndim not in (1, 2) or not np.issubdtype(pcm.dtype, np.floating):
        raise UnsupportedAudio(f"pcm is {pcm.dtype} {pcm.shape}, not floats [T, C] or [T]")
    if not np.isfinite(pcm).all():
        raise UnsupportedAudio("pcm has samples that are infinite or no number")
    return pcm.astype(np.float32, copy=False).reshape(len(pcm), *(pcm.shape[1:] or (1,)))


def frame_count(samples: int, sample_rate: int, config: ModelConfig) -> int:
    """Frames of a recording: one per hop, and one that completes the last; none if it is empty."""
    hops = -(-samples * config.sample_rate // (sample_rate * config.hop))
    return hops + 1 if samples else 0


def make_header(
    model: Model,
    stream: StreamInfo,
    tags: tuple[str, ...],
    picture: bytes | None,
    embed: bool,
) -> Header:
    """The header of a file made with `model`; tables by digest, or also inline."""
    codebooks, entropy = (
        TableSection(table.digest, table.to_bytes() if embed else None, kind)
        for table, kind in ((model.codebooks, 0), (model.entropy, model.entropy.KIND))
    )
    return Header(stream, short_digest(model.digest), codebooks, entropy, tags, picture)


def update_check(check: hashlib._Hash, coded: list[ChannelCodes]) -> None:
    """Add what a packet says to the stream's running check value."""
    for channel in coded:
        check.update(channel.gains.astype(np.uint8).tobytes())
        check.update(channel.counts.astype(np.uint8).tobytes())
        pairs = ((channel.codes, channel.counts), (channel.corrections, channel.correction_counts))
        for codes, counts in pairs:
            used = np.arange(codes.shape[1]) < counts[:, None]
            check.update(codes[used].astype("<u2").tobytes())
        if channel.high is not None:
            check.update(channel.high.astype(np.uint8).tobytes())
