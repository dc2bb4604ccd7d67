"""The Decoder of a stream: the bytes of a .nac file in blocks of any size to pcm."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nacli.arguments import check_model, expect, wrong_type
from nacli.checkpoint import Model
from nacli.decoder.depacketizer import Coded, Depacketizer, Lost, Part
from nacli.decoder.output import PcmOutput
from nacli.decoder.position import START, parse_position
from nacli.decoder.synthesis import CodedSound, Synthesizer
from nacli.decoder.timeline import Gap
from nacli.errors import OutOfRange
from nacli.format import Header, StreamInfo
from nacli.prefetch import prefetch
from nacli.timing import decoder_delay, first_packet
from nacli.types import Floats

PARTS_AHEAD = 8
"""Parts that are read before they are played: about as many as are read together."""


class Decoder:
    """Turns a .nac stream into pcm [T, C], packet by packet, in bounded memory.

    Any way of cutting the input into calls gives the same samples.
    """

    def __init__(
        self,
        model: Model,
        *,
        start: float | str = 0,
        stop: float | str | None = None,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> None:
        """`start` and `stop` choose a part of the recording, in seconds or as `parse_position`
        takes them; it equals that part of the whole. With `on_gap`, damage is concealed and told
        to it; without, damage is a `DamagedPacket`. Raises `ValueError` for no position, and
        `TypeError` for arguments of other types."""
        check_model(model)
        if on_gap is not None and not callable(on_gap):
            raise wrong_type("on_gap", on_gap, "a function")
        self._model, self._on_gap = model, on_gap
        self._start = parse_position(start)
        self._stop = None if stop is None else parse_position(stop)
        self._depacketizer = Depacketizer(model, conceal=on_gap is not None)
        self._coded_bytes, self._coded_samples, self._finished = 0, 0, False
        self.first_packet = 0
        """The packet that decoding begins with, known with the header."""

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
        """Whether the whole recording is wanted."""
        return self._start == START and self._stop is None

    @property
    def done(self) -> bool:
        """Whether all that was asked for has been given, so that the rest need not be read."""
        return self.header is not None and self._output.done

    @property
    def samples(self) -> int | None:
        """How many samples the header promises of the part that is wanted; None if it does not."""
        if self.header is None or self.header.stream.samples is None:
            return None
        return self._output.count(self.header.stream.samples)

    @property
    def kbps(self) -> float:
        """Of the sound: packets that have been decoded and the end record, without header, tags and
        picture, over the time that these packets hold. It is 0 where there are none."""
        if self.header is None or not self._coded_samples:
            return 0.0
        seconds = self._coded_samples / self.header.stream.sample_rate
        return self._coded_bytes * 8 / 1000 / seconds

    def decode(self, data: bytes) -> Floats:
        """Take bytes of the file; return the samples [T, C] that they complete.

        Raises `NotNac`, `UnknownVersion`, `DamagedHeader`, `WrongModel`, `DamagedPacket`,
        `OutOfRange` where `stop` is not after `start`, `TypeError` for what is no bytes, and
        `ValueError` after `finish`.
        """
        return self._join(list(self.blocks(data)))

    def blocks(self, data: bytes) -> Iterator[Floats]:
        """As `decode`, in blocks of about a second: a few bytes of silence can be hours of sound.

        Take all blocks before the next call.
        """
        expect("data", data, (bytes, bytearray, memoryview), "the bytes of a .nac file")
        self._check_open()
        opened = self.header is not None
        parts = self._depacketizer.feed(data)
        if self.header is not None and not opened:
            self._open(self.header.stream)
        yield from self._play(parts)

    def jump(self, packet: int) -> None:
        """Say that the bytes that come next start with this packet; what is between is left out.
        Only up to `first_packet`."""
        self._depacketizer.jump(packet)

    def finish(self) -> Floats:
        """The samples that were held back until the end was known: exactly the original length.

        The Decoder is spent after this: to use it again raises `ValueError`. Raises `OutOfRange`
        where the recording ends before `start`, and what `decode` raises.
        """
        return self._join(list(self.last_blocks()))

    def last_blocks(self) -> Iterator[Floats]:
        """As `finish`, in blocks: much may be missing at the end of a damaged file."""
        self._check_open()
        self._finished = True
        yield from self._play(self._depacketizer.finish())
        if self.done:
            return
        assert self.header is not None, "the parser raises where there is no header"
        total = self._depacketizer.samples
        if self._output.first and self._output.first >= total:
            raise OutOfRange(f"{self._end(total)}, before the part asked for")
        self._coded_samples = min(self._coded_samples, total)
        self._coded_bytes += self._depacketizer.end_bytes
        for sound in self._synthesizer.finish():
            yield self._output.process(sound)
        yield self._output.finish(total)

    def _end(self, total: int) -> str:
        """Where what there is of the recording ends, in words."""
        assert self.header is not None
        rate, whole = self.header.stream.sample_rate, self.header.stream.samples
        if self._depacketizer.cut and whole is not None and total < whole:
            return f"the file was cut at {total / rate:.3f} s of {whole / rate:.3f} s"
        return f"the recording ends at {total / rate:.3f} s"

    def _check_open(self) -> None:
        if self._finished:
            raise ValueError("this Decoder has finished: each file needs one of its own")

    def _join(self, parts: list[Floats]) -> Floats:
        columns = self.header.stream.channels if self.header else 1
        return np.concatenate([np.zeros((0, columns), dtype=np.float32), *parts])

    def _open(self, stream: StreamInfo) -> None:
        """Find the packet from which everything must be decoded for the part that is wanted."""
        config, rate, high = (
            self._model.config,
            stream.sample_rate,
            self._depacketizer.has_high_band,
        )
        last = None if self._stop is None else self._stop.sample(rate)
        self._output = PcmOutput(stream, self._start.sample(rate), last, high)
        if last is not None and last <= self._output.first:
            raise OutOfRange("the part asked for ends before it starts")
        hop = self._output.position // config.hop - high  # which follows the hop before as well
        self.first_packet = first_packet(hop, stream.frames_per_packet, config)
        self._depacketizer.begin(self.first_packet)
        first_hop = self.first_packet * stream.frames_per_packet - decoder_delay(config)
        self._output.begin(first_hop * config.hop)
        self._synthesizer = Synthesizer(self._model, stream.channels, first_hop, high)

    def _play(self, parts: Iterator[Part]) -> Iterator[Floats]:
        """Samples at the original rate; the next codes are read while those of one part sound."""
        if self.done:
            return
        for part in prefetch(parts, PARTS_AHEAD):
            for sound in self._sound(part):
                yield self._output.process(sound)
            if self.done:
                return

    def _sound(self, part: Part) -> Iterator[CodedSound]:
        if isinstance(part, Coded):
            self._coded_bytes += part.size
            self._coded_samples += part.samples
            return self._synthesizer.play(part.codes)
        self._tell(part)
        gone = 0 if part.at_end else part.frames
        return self._synthesizer.conceal(gone) if gone else iter(())

    def _tell(self, lost: Lost) -> None:
        """Report a gap, as far as it lies in the part that is wanted."""
        assert self.header is not None and self._on_gap is not None, "without it, damage raises"
        stream, first, last = self.header.stream, self._output.first, self._output.last
        ends = [self._depacketizer.sample(lost.frame + more) for more in (0, lost.frames)]
        if lost.at_end and 0 < first >= ends[0]:
            return  # the whole part is missing, which is an error
        if lost.at_end and stream.samples is not None:
            ends[1] = stream.samples
        start, stop = (max(first, at if last is None else min(at, last)) for at in ends)
        rate, reason, unread = stream.sample_rate, lost.reason, lost.unread
        self._on_gap(Gap(start, stop - start, rate, reason, lost.at_end, unread))
