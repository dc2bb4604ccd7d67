"""Is what was written what was meant? A second reader of .nac streams, apart from the Decoder.

It parses the bytes, checks every CRC and takes the entropy coding back, but plays nothing.
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
from nacli.format import Damage, EndRecord, Event, Header, Packet, Parser


class Verifier:
    """Reads the stream that an Encoder makes, and holds it to what that Encoder meant.

    Everything that is wrong is a `Mismatch`.
    """

    def __init__(self, model: Model, encoder: Encoder) -> None:
        self._model, self._encoder = model, encoder
        self._parser = Parser()
        self._check = hashlib.sha256()
        self._packets = 0
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, cut anywhere."""
        self._take(self._parser.feed(data))

    def compare(self) -> None:
        """Hold all that was fed so far to all that was encoded so far."""
        if self._check.digest()[:8] != self._encoder.check:
            raise Mismatch(
                f"what was written is not what was encoded, up to packet {self._packets}"
            )

    def finish(self) -> None:
        """Hold the whole to the whole: its end must have come."""
        self._take(self._parser.finish())
        self.compare()
        if not self._ended:
            raise Mismatch("what was written has no end record")

    def _take(self, events: Iterator[Event]) -> None:
        try:
            for event in events:
                self._hold(event)
        except Mismatch:
            raise
        except (NacliError, ValueError) as error:
            raise Mismatch(f"what was written cannot be read: {error}") from error

    def _hold(self, event: Event) -> None:
        match event:
            case Header():
                if event != self._encoder.header:
                    raise Mismatch("the header that was written is not the one that was meant")
            case Packet():
                self._packet(event)
            case Damage():
                raise Mismatch(f"what was written is damaged at {event.offset}: {event.reason}")
            case EndRecord():
                self._ended = True
                found = (event.packets, event.samples, event.check)
                if found != (self._packets, self._encoder.samples, self._check.digest()[:8]):
                    raise Mismatch("the end record that was written does not fit the packets")

    def _packet(self, packet: Packet) -> None:
        if packet.sequence != self._packets & 0xFFFF:
            raise Mismatch(f"packet {self._packets} is not where it belongs")
        self._packets += 1
        stream = self._encoder.header.stream
        codes = read_codes(packet, stream, self._model)
        update_codes_digest(self._check, codes)


def verify_file(path: str, model: Model, encoder: Encoder) -> None:
    """Read a whole file back. Raises `Mismatch`, and `UnreadableInput` where it cannot be read."""
    verifier = Verifier(model, encoder)
    with naming(path):
        for data in read_bytes_blocks(path):
            verifier.feed(data)
        verifier.finish()


def verify_audio(path: str, meant: AudioInfo, samples: int) -> None:
    """Read an audio file to its end. Raises `WriteFailed` unless its layout and length are those
    that were meant."""
    with AudioReader(path, tags=False) as reader:
        info = reader.info
        found = sum(len(pcm) for pcm in reader.blocks(1 << 16))
    wanted = (meant.sample_rate, meant.channels, samples)
    if (info.sample_rate, info.channels, found) != wanted:
        raise WriteFailed(f"{path}: reads back as other audio than was written")
