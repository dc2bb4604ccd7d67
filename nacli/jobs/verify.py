"""Verification of outputs: they are read back and compared with what was encoded or decoded.

In .nac streams every CRC is checked and every payload is entropy-decoded; nothing is synthesised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from nacli.audio import AudioInfo, AudioReader
from nacli.checkpoint import Model
from nacli.decoder.payload_reader import read_codes
from nacli.encoder.stream import Encoder
from nacli.entropy import update_codes_digest
from nacli.errors import Mismatch, NacliError, WriteFailed
from nacli.files.inputs import read_bytes_blocks
from nacli.files.names import naming
from nacli.format import Damage, EndRecord, Event, Header, Packet, Parser, short_digest


class Verifier:
    """Reads back the stream that an Encoder writes and compares it with the Encoder's state.

    All methods raise `Mismatch` for any difference.
    """

    def __init__(self, model: Model, encoder: Encoder) -> None:
        self._model, self._encoder = model, encoder
        self._parser = Parser()
        self._check = hashlib.sha256()
        self._packets = 0
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the stream, which may be cut anywhere."""
        self._take(self._parser.feed(data))

    def compare(self) -> None:
        """Compare the codes that were read so far with those that were encoded so far."""
        if short_digest(self._check.digest()) != self._encoder.check:
            raise Mismatch(
                f"the codes read back differ from those encoded, up to packet {self._packets}"
            )

    def finish(self) -> None:
        """Compare the whole stream, which must have its end record."""
        self._take(self._parser.finish())
        self.compare()
        if not self._ended:
            raise Mismatch("the stream read back has no end record")

    def _take(self, events: Iterator[Event]) -> None:
        try:
            for event in events:
                self._check_event(event)
        except Mismatch:
            raise
        except (NacliError, ValueError) as error:
            raise Mismatch(f"the stream cannot be read back: {error}") from error

    def _check_event(self, event: Event) -> None:
        match event:
            case Header():
                if event != self._encoder.header:
                    raise Mismatch("the header read back is not the one that was encoded")
            case Packet():
                self._check_packet(event)
            case Damage():
                where = f"at byte {event.offset}: {event.reason}"
                raise Mismatch(f"the stream read back is damaged {where}")
            case EndRecord():
                self._ended = True
                actual = (event.packets, event.samples, event.check)
                check = short_digest(self._check.digest())
                if actual != (self._packets, self._encoder.samples, check):
                    raise Mismatch("the end record read back does not match the packets")

    def _check_packet(self, packet: Packet) -> None:
        if packet.sequence != self._packets & 0xFFFF:
            raise Mismatch(f"packet {self._packets} has sequence number {packet.sequence}")
        self._packets += 1
        stream = self._encoder.header.stream
        codes = read_codes(packet, stream, self._model)
        update_codes_digest(self._check, codes)


def verify_file(path: str, model: Model, encoder: Encoder) -> None:
    """Read a whole .nac file back. Raises `Mismatch`, and `UnreadableInput` if that fails."""
    verifier = Verifier(model, encoder)
    with naming(path):
        for data in read_bytes_blocks(path):
            verifier.feed(data)
        verifier.finish()


def verify_audio(path: str, expected: AudioInfo, samples: int) -> None:
    """Read an audio file to its end. Raises `WriteFailed` unless its sample rate, channel count and
    length in samples are the expected ones."""
    with AudioReader(path, tags=False) as reader:
        info = reader.info
        length = sum(len(pcm) for pcm in reader.blocks(1 << 16))
    written = (expected.sample_rate, expected.channels, samples)
    if (info.sample_rate, info.channels, length) != written:
        raise WriteFailed(f"{path}: the audio read back differs from what was written")
