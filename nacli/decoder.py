"""The Decoder of a stream: the bytes of a .nac file in blocks of any size to pcm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from nacli.audio import check_supported
from nacli.checkpoint import Model
from nacli.encoder import MAX_PACKET_FRAMES, frame_count, update_check
from nacli.errors import (
    DamagedHeader,
    DamagedPacket,
    Mismatch,
    OutOfRange,
    UnsupportedAudio,
    WrongModel,
)
from nacli.format import Damage, EndRecord, Event, Header, Packet, Parser, StreamInfo
from nacli.payload import read_codes
from nacli.playout import Playout
from nacli.position import START, parse_position
from nacli.postprocess import PostProcess
from nacli.synthesis import Synthesizer
from nacli.tables import read_tables
from nacli.timeline import Gap, Timeline

Floats = NDArray[np.float32]


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
        to it; without, damage is a `DamagedPacket`. Raises `ValueError` for no position."""
        self._model, self._on_gap = model, on_gap
        self._start = parse_position(start)
        self._stop = None if stop is None else parse_position(stop)
        self._parser = Parser()
        self._end: EndRecord | None = None
        self._check = hashlib.sha256()
        self._intact = True
        self._fault = ""
        self.header: Header | None = None
        """The file's header, once it has been read."""
        self.first_packet, self.packets_at = 0, 0
        """The packet that decoding begins with, and the offset of packet 0 in the file; both are
        known once the header is."""

    @property
    def takes_all(self) -> bool:
        """Whether the whole recording is wanted."""
        return self._start == START and self._stop is None

    @property
    def done(self) -> bool:
        """Whether all that was asked for has been given, so that the rest need not be read."""
        return self.header is not None and self._playout.done

    @property
    def samples(self) -> int | None:
        """How many samples the header promises of the part that is wanted; None if it does not."""
        if self.header is None or self.header.stream.samples is None:
            return None
        return self._playout.count(self.header.stream.samples)

    def decode(self, data: bytes) -> Floats:
        """Take bytes of the file; return the samples [T, C] that they complete.

        Raises `NotNac`, `UnknownVersion`, `DamagedHeader`, `WrongModel`, `DamagedPacket`, and
        `OutOfRange` where `stop` is not after `start`.
        """
        return self._join(list(self.blocks(data)))

    def blocks(self, data: bytes) -> Iterator[Floats]:
        """As `decode`, in blocks of about a second: a few bytes of silence can be hours of sound.

        Take all blocks before the next call.
        """
        for event in self._parser.feed(data):
            yield from self._take(event)

    def jump(self, packet: int) -> None:
        """Say that the bytes that come next start with this packet; what is between is left out.
        Only up to `first_packet`."""
        self._parser.jump()
        self._timeline = Timeline(self._stream, packet)

    def finish(self) -> Floats:
        """The samples that were held back until the end was known: exactly the original length.

        Raises `OutOfRange` where the recording ends before `start`.
        """
        return self._join(list(self.last_blocks()))

    def last_blocks(self) -> Iterator[Floats]:
        """As `finish`, in blocks: much may be missing at the end of a damaged file."""
        for event in self._parser.finish():
            yield from self._take(event)
        if self.done:
            return
        assert self.header is not None, "the parser raises where there is no header"
        if self._end is not None:
            yield from self._complete(self._end)
        yield from self._bridge(self._timeline.frame)
        total = self._length()
        if self._playout.first and self._playout.first >= total:
            seconds = total / self.header.stream.sample_rate
            raise OutOfRange(f"the recording ends at {seconds:.3f} s, before the part asked for")
        yield self._playout.finish(total)

    def _join(self, parts: list[Floats]) -> Floats:
        columns = self.header.stream.channels if self.header else 1
        return np.concatenate([np.zeros((0, columns), dtype=np.float32), *parts])

    def _take(self, event: Event) -> Iterator[Floats]:
        if isinstance(event, Header):
            self._open(event)
        elif isinstance(event, Packet):
            yield from self._packet(event)
        elif isinstance(event, Damage):
            self._damage(f"damaged at byte {event.offset}: {event.reason}")
        else:
            self._end = event

    # The header.

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
        self.header, self.packets_at = header, self._parser.offset
        codebooks, self._entropy = read_tables(header, self._model)
        self._stages = codebooks.stages
        self._synthesizer = Synthesizer(self._model, codebooks, stream.channels)
        self._timeline = Timeline(stream)
        self._select(stream)

    def _select(self, stream: StreamInfo) -> None:
        """Find the packet from which everything must be decoded for the part that is wanted."""
        config, rate = self._model.config, stream.sample_rate
        last = None if self._stop is None else self._stop.sample(rate)
        self._playout = Playout(stream, self._start.sample(rate), last)
        if last is not None and last <= self._playout.first:
            raise OutOfRange("the part asked for ends before it starts")
        context = config.decoder_context + -(-PostProcess.DC_WINDOW // config.hop)
        frame = self._playout.position // config.hop + 1 - context
        self.first_packet = max(0, frame) // stream.frames_per_packet
        self._first_frame = self.first_packet * stream.frames_per_packet
        # what the network makes of frame f is hop f - 1
        self._skip = self._playout.position - (self._first_frame - 1) * config.hop

    # Packets, there or missing.

    def _packet(self, packet: Packet) -> Iterator[Floats]:
        """Decode one packet to blocks of samples at the original rate."""
        if self.done:
            return
        try:
            start = self._timeline.place(packet)
        except ValueError as error:
            self._damage(str(error))
            return
        if start < self._first_frame:
            self._pass(start + packet.frames)
            return
        yield from self._bridge(start)
        try:
            coded = read_codes(packet, self._entropy, self._stages)
        except ValueError as error:
            self._damage(f"packet {start // self._stream.frames_per_packet}: {error}")
            return
        update_check(self._check, coded)
        self._timeline.play(packet.frames)
        for pcm in self._synthesizer.play(coded):
            yield self._give(pcm)

    def _give(self, pcm: Floats) -> Floats:
        pcm, self._skip = pcm[self._skip :], max(0, self._skip - len(pcm))
        return self._playout.process(pcm)

    def _pass(self, until: int) -> None:
        """Leave out what lies before the part that is wanted."""
        self._timeline.play(until - self._timeline.frame)
        self._intact, self._fault = False, ""

    def _damage(self, reason: str) -> None:
        """Note what is wrong with the file at this place; the first reason stands."""
        if self._on_gap is None:
            raise DamagedPacket(reason)
        self._intact, self._fault = False, self._fault or reason

    def _bridge(self, until: int) -> Iterator[Floats]:
        """Conceal the frames that are missing up to frame `until`, and tell of them."""
        if self._timeline.frame < self._first_frame <= until:
            self._pass(self._first_frame)
        missing = until - self._timeline.frame
        if missing:
            packet = self._timeline.frame // self._stream.frames_per_packet
            self._damage(f"packet {packet} is missing")
        if self._fault:
            self._tell(missing)
        self._timeline.skip(until)
        if missing:
            for pcm in self._synthesizer.conceal(missing):
                yield self._give(pcm)

    def _tell(self, missing: int) -> None:
        """Report a gap of `missing` frames, as far as it lies in the part that is wanted."""
        first, last = self._playout.first, self._playout.last
        start, stop = (self._sample(self._timeline.frame + more) for more in (0, missing))
        start, stop = (max(first, at if last is None else min(at, last)) for at in (start, stop))
        assert self._on_gap is not None, "without it, damage raises"
        self._on_gap(Gap(start, stop - start, self._stream.sample_rate, self._fault))
        self._fault = ""

    # The end.

    def _complete(self, end: EndRecord) -> Iterator[Floats]:
        """Bridge up to the end, and check that this is what was encoded."""
        per_packet = self._stream.frames_per_packet
        frames = frame_count(end.samples, self._stream.sample_rate, self._model.config)
        if frames < self._timeline.frame or -(-frames // per_packet) != end.packets:
            raise DamagedPacket("the end record does not fit the packets")
        try:
            self._timeline.check_gap(frames)
        except ValueError as error:
            raise DamagedPacket(str(error)) from error
        yield from self._bridge(frames)
        if self._intact and end.check != self._check.digest()[:8]:
            raise Mismatch("the decoded codes are not those that were encoded")

    def _length(self) -> int:
        """Samples of the recording, or of as much of it as there is where it was cut off."""
        if self._end is not None:
            return self._end.samples
        said, frames = self._stream.samples, self._timeline.frame
        if (
            said is not None
            and frame_count(said, self._stream.sample_rate, self._model.config) == frames
        ):
            return said
        return self._sample(frames)

    def _sample(self, frame: int) -> int:
        """The sample at the original rate up to which the frames before `frame` reach."""
        config = self._model.config
        return max(0, frame - 1) * config.hop * self._stream.sample_rate // config.sample_rate

    @property
    def _stream(self) -> StreamInfo:
        assert self.header is not None, "nothing is asked before the header"
        return self.header.stream
