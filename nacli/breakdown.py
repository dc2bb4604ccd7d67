"""How many codes a .nac file holds, stage by stage: what they would take as plain numbers.

Stage counts follow from the gains, so these are decoded, and nothing else: no code, no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.allocate import packet_counts
from nacli.checkpoint import Model
from nacli.encoder import MAX_PACKET_FRAMES
from nacli.entropy import EntropyModel
from nacli.errors import DamagedPacket, WrongModel
from nacli.files import naming, read_bytes_blocks
from nacli.format import Event, Header, Packet, Parser
from nacli.tables import read_tables


@dataclass(frozen=True)
class CodeCounts:
    """Codes by stage [N], the bits of one as a plain number, and what the gains take, coded."""

    codes: NDArray[np.int64]
    code_bits: int
    gain_bits: float

    def to_json(self) -> dict[str, Any]:
        """As plain data, to stand beside what `nacli.info.to_json` gives."""
        return {
            "codes": int(self.codes.sum()),
            "raw_code_bits": int(self.codes.sum()) * self.code_bits,
            "raw_stage_bits": (self.codes * self.code_bits).tolist(),
            "gain_bits": round(self.gain_bits),
        }


def count_codes(path: str, model: Model) -> CodeCounts:
    """Count the codes of a file's good packets.

    Raises `WrongModel` where the file was made with another one, the errors of `Parser`, and
    `DamagedPacket` for a payload that no encoder writes.
    """
    parser, counter = Parser(), CodeCounter(model)
    with naming(path):
        for block in read_bytes_blocks(path):
            for event in parser.feed(block):
                counter.take(event)
        for event in parser.finish():
            counter.take(event)
    return counter.result()


class CodeCounter:
    """Counts the codes of a stream whose events it is given, the header first."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._entropy: EntropyModel = model.entropy
        self._codes = np.zeros(self._entropy.shape[0], dtype=np.int64)
        self._gain_bits = 0.0

    def take(self, event: Event) -> None:
        """Add an event; the errors are those of `count_codes`."""
        if isinstance(event, Header):
            if event.model != self._model.digest:
                raise WrongModel("made with another model, whose gains cannot be read")
            _, self._entropy = read_tables(event, self._model)
            self._codes = np.zeros(self._entropy.shape[0], dtype=np.int64)
        elif isinstance(event, Packet):
            self._add(event)

    def _add(self, packet: Packet) -> None:
        if packet.frames > MAX_PACKET_FRAMES:
            raise DamagedPacket("a packet is longer than any encoder writes")
        try:
            reader = self._entropy.open(packet.payload)
            gains = np.stack([reader.gains(packet.frames) for _ in packet.levels])
        except ValueError as error:
            raise DamagedPacket(f"packet {packet.sequence}: {error}") from error
        counts = packet_counts(gains, packet.levels, len(self._codes))
        self._codes += (counts.ravel()[:, None] > np.arange(len(self._codes))).sum(0)
        self._gain_bits += sum(self._entropy.gains.bits(row) for row in gains)

    def result(self) -> CodeCounts:
        size = self._entropy.shape[1]
        return CodeCounts(self._codes, (size - 1).bit_length(), self._gain_bits)
