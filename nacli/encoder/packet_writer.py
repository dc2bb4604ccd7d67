"""The second half of encoding: searched packets to bytes, and the records that count them."""

from __future__ import annotations

import hashlib

from nacli.encoder.packet_analysis import SearchedPacket
from nacli.encoder.packet_encoder import EncodedPacket, PacketEncoder
from nacli.encoder.rate_control import QualityControl, RateControl, fullness
from nacli.entropy import update_codes_digest
from nacli.format import (
    EndRecord,
    Packet,
    SeekTable,
    StreamInfo,
    pack_end,
    pack_packet,
    short_digest,
)


class PacketWriter:
    """Chooses the codes of packets, packs them, and keeps the seek table and the check value.

    Belongs to the caller's thread.
    """

    def __init__(
        self,
        stream: StreamInfo,
        packet_encoder: PacketEncoder,
        control: RateControl | QualityControl,
        frame_rate: float,
    ) -> None:
        self._stream, self._packet_encoder, self._control = stream, packet_encoder, control
        self._frame_rate = frame_rate
        self._frames, self._seconds = 0, 0.0
        self._seek, self._digest = SeekTable(), hashlib.sha256()

    @property
    def check(self) -> bytes:
        """Digest of the codes of all packets so far; at the end, that of the end record."""
        return short_digest(self._digest.digest())

    def write(self, searched: SearchedPacket) -> bytes:
        """Return the bytes of the next packet."""
        frames = self._frames + searched.analysis.gains.shape[1]
        return self._write(searched, until=(frames - 1) / self._frame_rate, last=False)

    def write_last(self, searched: SearchedPacket, samples: int) -> bytes:
        """Return the bytes of the last packet of a stream of `samples` samples."""
        return self._write(searched, until=samples / self._stream.sample_rate, last=True)

    def end(self, samples: int) -> bytes:
        """Return the end record of a stream of `samples` samples."""
        seek = self._seek
        return pack_end(EndRecord(samples, seek.packets, self.check, seek.interval, seek.entries))

    def _write(self, searched: SearchedPacket, until: float, last: bool) -> bytes:
        """Pack a packet that completes the samples up to `until` seconds."""
        frames = searched.analysis.gains.shape[1]
        seconds, self._seconds = until - self._seconds, until
        self._frames += frames
        encoded = self._choose(searched, seconds, last)
        packet = Packet(self._seek.packets & 0xFFFF, frames, encoded.levels, encoded.payload)
        data = pack_packet(packet, self._stream.frames_per_packet)
        if isinstance(self._control, RateControl):
            full = fullness(encoded.codes.channels, self._stream.stages)
            self._control.spend(seconds, len(data), full)
        self._seek.add(len(data))
        update_codes_digest(self._digest, encoded.codes)
        return data

    def _choose(self, packet: SearchedPacket, seconds: float, last: bool) -> EncodedPacket:
        snr_db = self._control.sufficient_snr_db
        if isinstance(self._control, RateControl):
            return self._packet_encoder.fit(packet, self._control.budget(seconds, last), snr_db)
        return self._packet_encoder.at_level(packet, snr_db)
