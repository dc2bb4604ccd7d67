"""The Decoder of a stream: the bytes of a .nac file in blocks of any size to pcm."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nacli import channels as channel_modes
from nacli.audio import Resampler, check_supported
from nacli.checkpoint import Model
from nacli.encoder import MAX_PACKET_FRAMES, frame_count, packet_counts, update_check
from nacli.entropy import ChannelCodes, StaticTables
from nacli.errors import DamagedHeader, DamagedPacket, Mismatch, UnsupportedAudio, WrongModel
from nacli.format import Damage, EndRecord, EntropyKind, Event, Header, Packet, Parser
from nacli.postprocess import PostProcess
from nacli.quantize import Codebooks, dequantize

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

NETWORK_FRAMES = 75
"""Frames that pass through the network at a time, so that long packets need no more memory."""


class Decoder:
    """Turns a .nac stream into pcm [T, C], packet by packet, in bounded memory.

    Any way of cutting the input into calls gives the same samples.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._parser = Parser()
        self._end: EndRecord | None = None
        self._check = hashlib.sha256()
        self._sequence, self._frames = 0, 0
        self._given = 0
        self.header: Header | None = None
        """The file's header, once it has been read."""

    def decode(self, data: bytes) -> Floats:
        """Take bytes of the file; return the samples [T, C] that they complete.

        Raises `NotNac`, `UnknownVersion`, `DamagedHeader`, `WrongModel`, `DamagedPacket`.
        """
        return self._join(list(self.blocks(data)))

    def blocks(self, data: bytes) -> Iterator[Floats]:
        """As `decode`, in blocks of about a second: a few bytes of silence can be hours of sound.

        Take all blocks before the next call.
        """
        for event in self._parser.feed(data):
            yield from self._take(event)

    def finish(self) -> Floats:
        """The samples that were held back until the end was known: exactly the original length."""
        parts = [pcm for event in self._parser.finish() for pcm in self._take(event)]
        if self.header is None or self._end is None:
            raise DamagedPacket("the file has no end record")
        stream, config = self.header.stream, self._model.config
        if self._frames != frame_count(self._end.samples, stream.sample_rate, config):
            raise DamagedPacket("the end record does not fit the packets")
        if self._end.check != self._check.digest()[:8]:
            raise Mismatch("the decoded codes are not those that were encoded")
        parts += [self._resample(self._held), self._unmix(self._resampler.flush())]
        rest = np.concatenate(parts)
        missing = self._end.samples - (self._given - sum(map(len, parts)))
        if len(rest) < missing:
            rest = np.pad(rest, ((0, missing - len(rest)), (0, 0)))
        return rest[:missing]

    def _join(self, parts: list[Floats]) -> Floats:
        columns = self.header.stream.channels if self.header else 1
        return np.concatenate([np.zeros((0, columns), dtype=np.float32), *parts])

    def _take(self, event: Event) -> Iterator[Floats]:
        if isinstance(event, Header):
            self._open(event)
        elif isinstance(event, Packet):
            yield from self._packet(event)
        elif isinstance(event, Damage):
            raise DamagedPacket(f"damaged at byte {event.offset}: {event.reason}")
        else:
            self._end = event

    def _open(self, header: Header) -> None:
        """Check that this decoder can play the file, and set up for its channels."""
        stream, config = header.stream, self._model.config
        if header.model != self._model.digest:
            raise WrongModel(
                f"made with model {header.model.hex()[:12]},"
                f" this one is {self._model.digest.hex()[:12]}"
            )
        try:
            check_supported(stream.sample_rate, stream.channels)
        except UnsupportedAudio as error:
            raise DamagedHeader(str(error)) from error
        if stream.hop != config.hop or stream.frames_per_packet > MAX_PACKET_FRAMES:
            raise DamagedHeader("the header's frame sizes do not fit the model")
        self.header = header
        self._codebooks, self._entropy = self._tables(header)
        self._history = self._model.networks.new_history()
        self._post = PostProcess(stream.channels, config.hop)
        self._resampler = Resampler(config.sample_rate, stream.sample_rate, stream.channels)
        self._skip = config.hop
        self._held: Floats = np.zeros((0, stream.channels), dtype=np.float32)

    def _tables(self, header: Header) -> tuple[Codebooks, StaticTables]:
        """The tables that the file names: its own where it carries them, else the model's."""
        if header.entropy.kind != EntropyKind.STATIC:
            raise WrongModel("the file's entropy model is of a kind that this nacli does not know")
        codebooks, entropy = self._model.codebooks, self._model.entropy
        try:
            if header.codebooks.inline is not None:
                codebooks = Codebooks.from_bytes(header.codebooks.inline)
            if header.entropy.inline is not None:
                entropy = StaticTables.from_bytes(header.entropy.inline)
        except ValueError as error:
            raise DamagedHeader(str(error)) from error
        for section, table in ((header.codebooks, codebooks), (header.entropy, entropy)):
            if section.digest != table.digest:
                raise WrongModel("the file names other codebooks or entropy tables")
        shape = (codebooks.stages, codebooks.vectors.shape[2])
        if shape != (header.stream.stages, self._model.config.latent_dim):
            raise DamagedHeader("the codebooks do not fit the model")
        if entropy.code_table.shape != codebooks.vectors.shape[:2]:
            raise DamagedHeader("the entropy tables do not fit the codebooks")
        return codebooks, entropy

    def _packet(self, packet: Packet) -> Iterator[Floats]:
        """Decode one packet to blocks of samples at the original rate."""
        if packet.sequence != self._sequence & 0xFFFF:
            raise DamagedPacket(f"packet {self._sequence} is missing")
        if packet.frames > MAX_PACKET_FRAMES:
            raise DamagedPacket(f"packet {self._sequence} is longer than any encoder writes")
        self._sequence, self._frames = self._sequence + 1, self._frames + packet.frames
        try:
            coded = self._decompress(packet)
        except ValueError as error:
            raise DamagedPacket(f"packet {self._sequence - 1}: {error}") from error
        update_check(self._check, coded)
        for at in range(0, packet.frames, NETWORK_FRAMES):
            yield self._synthesize(coded, slice(at, at + NETWORK_FRAMES))

    def _decompress(self, packet: Packet) -> list[ChannelCodes]:
        reader = self._entropy.open(packet.payload)
        gains = np.stack([reader.gains(packet.frames) for _ in packet.levels])
        counts = packet_counts(gains, packet.levels, self._codebooks.stages)
        rows = zip(gains, counts, strict=True)
        return [ChannelCodes(gain, reader.codes(count), count) for gain, count in rows]

    def _synthesize(self, coded: list[ChannelCodes], part: slice) -> Floats:
        """Frames `part` of a packet to samples at the original rate."""
        gains = np.stack([channel.gains[part] for channel in coded])
        counts = np.stack([channel.counts[part] for channel in coded])
        latents = np.stack(
            [dequantize(c.codes[part], c.counts[part], self._codebooks) for c in coded]
        )
        pcm = self._model.networks.synthesize(latents, gains, counts, self._history)
        return self._give(self._post.process(pcm, gains).T)

    def _give(self, pcm: Floats) -> Floats:
        """Samples at the model's rate to the original one. The last hop is held back: only the end
        record tells how much of it is sound."""
        pcm, self._skip = pcm[self._skip :], max(0, self._skip - len(pcm))
        joined = np.concatenate([self._held, pcm])
        cut = max(0, len(joined) - self._model.config.hop)
        self._held = joined[cut:]
        return self._resample(joined[:cut])

    def _resample(self, pcm: Floats) -> Floats:
        return self._unmix(self._resampler.process(pcm))

    def _unmix(self, pcm: Floats) -> Floats:
        assert self.header is not None
        self._given += len(pcm)
        return channel_modes.unmix(pcm, self.header.stream.channel_mode)
