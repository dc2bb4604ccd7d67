"""The decoder of a stream: the bytes of a .nac file in blocks of any size to pcm."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nacli.arguments import check_model, expect, wrong_type
from nacli.blas import one_thread
from nacli.checkpoint import Model
from nacli.decoder.depacketizer import Depacketizer
from nacli.decoder.parts import Part
from nacli.decoder.position import START, parse_position
from nacli.decoder.section import SectionDecoder
from nacli.decoder.timeline import Gap
from nacli.format import Header, pack_end
from nacli.types import Floats

FINISHED = "this Decoder has finished: each file needs one of its own"


class Decoder:
    """Turns a .nac stream into pcm [T, C], packet by packet, in bounded memory.

    Any way of cutting the input into calls gives the same samples. Three threads share the work: a
    prefetch thread reads packets and codes (`_depacketizer` belongs to it while the blocks of a
    call are taken), another runs the Decoder network (see `SectionDecoder`), and the caller's
    thread filters and counts (everything else).
    """

    def __init__(
        self,
        model: Model,
        *,
        start: float | str = 0,
        stop: float | str | None = None,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> None:
        """Prepare to decode one file.

        Args:
            model: the one that the file was made with.
            start, stop: the section to decode, in seconds or as `parse_position` reads them. It
                equals that section of the whole, sample for sample.
            on_gap: called for each gap, which is concealed; without it, damage raises
                `DamagedPacket`.

        Raises:
            ValueError: `start` or `stop` is not a position.
            TypeError: an argument is of another type.
        """
        check_model(model)
        if on_gap is not None and not callable(on_gap):
            raise wrong_type("on_gap", on_gap, "a function")
        self._model, self._on_gap = model, on_gap
        self._start = parse_position(start)
        self._stop = None if stop is None else parse_position(stop)
        self._depacketizer = Depacketizer(model, conceal=on_gap is not None)
        self._section: SectionDecoder | None = None
        self._finished = False
        self.first_packet = 0
        """The packet at which decoding starts, known with the header."""

    @property
    def header(self) -> Header | None:
        """The file's header, once it has been read."""
        return self._depacketizer.header

    @property
    def packets_at(self) -> int:
        """The offset of packet 0 in the file, known with the header."""
        return self._depacketizer.packets_at

    @property
    def takes_all(self) -> bool:
        """Whether the whole recording is to be decoded."""
        return self._start == START and self._stop is None

    @property
    def done(self) -> bool:
        """Whether the whole section has been given, so that the rest need not be read."""
        return self._section is not None and self._section.done

    @property
    def samples(self) -> int | None:
        """The samples of the section by the header; None where it does not say."""
        return self._section.samples if self._section else None

    @property
    def kbps(self) -> float:
        """The bitrate of the packets decoded so far and the end record, without header, tags and
        picture; 0 where there are no packets."""
        return self._section.kbps if self._section else 0.0

    def decode(self, data: bytes) -> Floats:
        """Take bytes of the file; return the samples [T, C] that they complete.

        Raises `NotNac`, `UnknownVersion`, `DamagedHeader`, `WrongModel`, `DamagedPacket`,
        `OutOfRange` where `stop` is not after `start`, `TypeError` for data that are not bytes, and
        `ValueError` after `finish`.
        """
        return _join(self.blocks(data), self)

    def blocks(self, data: bytes) -> Iterator[Floats]:
        """As `decode`, in blocks of about a second: a few bytes of silence can be hours of sound.

        Take all blocks before the next call.
        """
        expect("data", data, (bytes, bytearray, memoryview), "the bytes of a .nac file")
        if self._finished:
            raise ValueError(FINISHED)
        parts = self._depacketizer.feed(data)
        if self.header is not None and self._section is None:
            stream = self.header.stream
            self._section = SectionDecoder(
                self._model, stream, self._start, self._stop, self._on_gap
            )
            self.first_packet = self._section.first_packet
            self._depacketizer.begin(self.first_packet)
        with one_thread():
            yield from self._decoded(parts)

    def jump(self, packet: int) -> None:
        """Announce that the next bytes start with this packet, at most `first_packet`; the packets
        between are left out."""
        self._depacketizer.jump(packet)

    def finish(self) -> Floats:
        """Return the samples that were held back until the end was known: together, exactly the
        original length.

        After this, every call raises `ValueError`. Raises `OutOfRange` where the recording ends
        before `start`, and what `decode` raises.
        """
        return _join(self.last_blocks(), self)

    def last_blocks(self) -> Iterator[Floats]:
        """As `finish`, in blocks: much may be missing at the end of a damaged file."""
        if self._finished:
            raise ValueError(FINISHED)
        self._finished = True
        with one_thread():
            yield from self._decoded(self._depacketizer.finish())
            if self.done:
                return
            assert self._section is not None, "the parser raises where there is no header"
            end = self._depacketizer.end
            end_bytes = len(pack_end(end)) if end else 0
            yield from self._section.finish(self._depacketizer.samples, end_bytes)

    def _decoded(self, parts: Iterator[Part]) -> Iterator[Floats]:
        """Yield the samples of parts."""
        if self._section is not None:
            yield from self._section.decode(parts)
        else:
            left = list(parts)  # raises what is wrong with a file that has no header
            assert not left, "the header comes before all parts"


def _join(blocks: Iterator[Floats], decoder: Decoder) -> Floats:
    """Return all blocks as one array, which has the stream's channels even where it is empty."""
    made = list(blocks)
    columns = decoder.header.stream.channels if decoder.header else 1
    return np.concatenate([np.zeros((0, columns), dtype=np.float32), *made])
