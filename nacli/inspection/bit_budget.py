"""The bits that each part of a .nac file's payloads takes: angles, gains, envelope corrections,
the high band and the codes of each stage, coded and as plain numbers.

Payloads are entropy-decoded; no audio is synthesised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.checkpoint import Model
from nacli.config import MAX_PACKET_FRAMES
from nacli.decoder.payload_reader import read_codes
from nacli.decoder.tables import check_tables
from nacli.entropy import angle_bits
from nacli.errors import DamagedPacket, WrongModel
from nacli.files.names import naming
from nacli.format import Event, Header, Packet, Parser, StreamInfo, short_digest
from nacli.inspection.info import read_events


@dataclass(frozen=True)
class CodeCounts:
    """The number of codes and the bits that they take.

    Args:
        codes: number of codes of each stage [N].
        stage_bits: coded bits of each stage [N].
        plain_bits: bits of one code as a plain number.
        angle_bits: coded bits of the angles of stereo.
        gain_bits: coded bits of the gains.
        corrections: number of codes of envelope corrections.
        correction_bits: coded bits of the envelope corrections.
        high_bits: coded bits of the high band's levels.
    """

    codes: NDArray[np.int64]
    stage_bits: NDArray[np.float64]
    plain_bits: int
    angle_bits: float
    gain_bits: float
    corrections: int
    correction_bits: float
    high_bits: float

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain data, in addition to `nacli.inspection.info_json.to_json`."""
        return {
            "codes": int(self.codes.sum()),
            "raw_code_bits": int(self.codes.sum()) * self.plain_bits,
            "raw_stage_bits": (self.codes * self.plain_bits).tolist(),
            "code_bits": round(float(self.stage_bits.sum())),
            "stage_bits": np.rint(self.stage_bits).astype(int).tolist(),
            "angle_bits": round(self.angle_bits),
            "gain_bits": round(self.gain_bits),
            "corrections": self.corrections,
            "raw_correction_bits": self.corrections * self.plain_bits,
            "correction_bits": round(self.correction_bits),
            "high_band_bits": round(self.high_bits),
        }


def count_codes(path: str, model: Model) -> CodeCounts:
    """Count the codes of a file's good packets.

    Raises:
        WrongModel: the file was made with another model.
        DamagedPacket: a payload that no encoder writes.
        NacliError: the errors of `Parser`.
    """
    parser, counter = Parser(), CodeCounter(model)
    with naming(path):
        for event in read_events(parser, path):
            counter.take(event)
    return counter.result()


class CodeCounter:
    """Counts the codes of a stream from its events, of which the header is the first."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._entropy = model.entropy
        self._codes = np.zeros(self._entropy.shape[0], dtype=np.int64)
        self._stage_bits = np.zeros(self._entropy.shape[0])
        self._stream: StreamInfo | None = None
        self._angle_bits, self._gain_bits, self._high_bits = 0.0, 0.0, 0.0
        self._corrections, self._correction_bits = 0, 0.0

    def take(self, event: Event) -> None:
        """Add an event. Raises the errors of `count_codes`."""
        if isinstance(event, Header):
            if event.model != short_digest(self._model.digest):
                raise WrongModel("made with another model, so its codes cannot be read")
            self._stream = event.stream
            check_tables(event, self._model)
        elif isinstance(event, Packet):
            self._add(event)

    def _add(self, packet: Packet) -> None:
        assert self._stream is not None, "the header comes first"
        if packet.frames > MAX_PACKET_FRAMES:
            raise DamagedPacket("a packet is longer than any encoder writes")
        try:
            codes = read_codes(packet, self._stream, self._model)
        except ValueError as error:
            raise DamagedPacket(f"packet {packet.sequence}: {error}") from error
        self._angle_bits += angle_bits(codes.angles)
        bits = self._entropy.packet_bits(codes.channels)
        for channel, own_bits in zip(codes.channels, bits, strict=True):
            self._codes += (channel.counts[:, None] > np.arange(len(self._codes))).sum(0)
            self._stage_bits += own_bits.sum(0)
            self._gain_bits += self._entropy.gains.bits(channel.gains)
            self._corrections += int(channel.correction_counts.sum())
            self._correction_bits += self._entropy.corrections.bits(
                channel.corrections, channel.correction_counts
            )
            if channel.high is not None:
                self._high_bits += self._entropy.high.bits(channel.high)

    def result(self) -> CodeCounts:
        """Return the counts so far."""
        size = self._entropy.shape[1]
        plain = (size - 1).bit_length()
        corrections = (self._corrections, self._correction_bits)
        side = (self._angle_bits, self._gain_bits, *corrections, self._high_bits)
        return CodeCounts(self._codes, self._stage_bits, plain, *side)
