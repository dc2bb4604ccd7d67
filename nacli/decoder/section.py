"""The second half of decoding: the parts of a stream to the samples of the requested section."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import NamedTuple

from nacli.adaptive_filter import context
from nacli.checkpoint import Model
from nacli.decoder.network_decoder import NetworkDecoder
from nacli.decoder.output import PcmOutput
from nacli.decoder.parts import Coded, Lost, Part
from nacli.decoder.position import Position
from nacli.decoder.post_processing import DecodedFrames
from nacli.decoder.stereo import StereoRestorer
from nacli.decoder.synthesis import CodedSound, Synthesizer
from nacli.decoder.timeline import Gap
from nacli.errors import OutOfRange
from nacli.format import StreamInfo
from nacli.prefetch import prefetch
from nacli.timing import completed_samples, decoder_delay, first_packet
from nacli.types import Floats

PARTS_AHEAD = 8
"""Parts whose codes are read ahead, in the first prefetch thread: about one batch of packets."""
BLOCKS_AHEAD = 2
"""Blocks of frames that the network makes ahead, in the second prefetch thread."""


class _Step(NamedTuple):
    """A part where it begins, and frames of it or of the part that has begun; either may be
    missing."""

    part: Part | None
    frames: DecodedFrames | None


class SectionDecoder:
    """Synthesises the samples of one stream from `start` to `stop`, and reports the gaps in them.

    While the samples of parts are taken, the parts belong to the first prefetch thread and the
    network to the second; all else belongs to the thread that owns the `Decoder`.
    """

    def __init__(
        self,
        model: Model,
        stream: StreamInfo,
        start: Position,
        stop: Position | None,
        on_gap: Callable[[Gap], None] | None,
    ) -> None:
        """Without `stop`, the section reaches to the end. Raises `OutOfRange` where `stop` is not
        after `start`."""
        self._config, self._stream, self._on_gap = model.config, stream, on_gap
        rate, hop_samples = stream.sample_rate, model.config.hop
        high_band = model.codes_high_band(rate)
        last = None if stop is None else stop.sample(rate)
        self._output = PcmOutput(stream, start.sample(rate), last, high_band)
        if last is not None and last <= self._output.first:
            raise OutOfRange("the part asked for ends before it starts")
        # A hop of the high band also depends on the hop before it.
        hop = self._output.position // hop_samples - high_band
        filter_context = context(model.filter_network)
        self.first_packet = first_packet(
            hop, stream.frames_per_packet, model.config, filter_context
        )
        """The packet at which decoding starts."""
        first_hop = self.first_packet * stream.frames_per_packet - decoder_delay(model.config)
        self._output.begin(first_hop * hop_samples)
        self._network = NetworkDecoder(model, stream.channels)
        self._synthesizer = Synthesizer(model, stream.channels, first_hop, high_band)
        self._stereo: StereoRestorer | None = None
        if bands := stream.angles(high_band):
            self._stereo = StereoRestorer(bands, hop_samples, decoder_delay(model.config))
        self._coded_bytes, self._coded_samples = 0, 0

    @property
    def done(self) -> bool:
        """Whether the whole section has been given, so that the rest need not be read."""
        return self._output.done

    @property
    def samples(self) -> int | None:
        """The samples of the section by the header; None where it does not say."""
        return None if self._stream.samples is None else self._output.count(self._stream.samples)

    @property
    def kbps(self) -> float:
        """The bitrate of the packets decoded so far; 0 where there are none."""
        if not self._coded_samples:
            return 0.0
        seconds = self._coded_samples / self._stream.sample_rate
        return self._coded_bytes * 8 / 1000 / seconds

    def decode(self, parts: Iterator[Part]) -> Iterator[Floats]:
        """Yield the samples [T, C] that parts complete, at the original rate, as long as the
        section is not done."""
        if self.done:
            return
        with (
            closing(self._steps(parts)) as made,
            closing(prefetch(made, BLOCKS_AHEAD, thread=1)) as steps,
        ):
            for part, frames in steps:
                if part is not None:
                    self._begin(part)
                if frames is not None:
                    yield self._restored(self._synthesizer.process(frames))
                if self.done:
                    return

    def _steps(self, parts: Iterator[Part]) -> Generator[_Step]:
        """Yield parts and their frames, in the second prefetch thread."""
        with closing(prefetch(parts, PARTS_AHEAD)) as ahead:
            for part in ahead:
                begins: Part | None = part
                for frames in self._network.decode(part):
                    yield _Step(begins, frames)
                    begins = None
                if begins is not None:
                    yield _Step(begins, None)

    def finish(self, total: int, end_bytes: int) -> Iterator[Floats]:
        """Yield the last samples of a recording of `total` samples, whose end record has
        `end_bytes` bytes. Raises `OutOfRange` where the recording ends before the section."""
        if self._output.first and self._output.first >= total:
            raise OutOfRange(f"{self._end_text(total, end_bytes)}, before the part asked for")
        self._coded_samples = min(self._coded_samples, total)
        self._coded_bytes += end_bytes
        for frames in self._network.finish():
            yield self._restored(self._synthesizer.process(frames))
        yield self._restored(self._synthesizer.finish())
        yield self._output.finish(total)

    def _begin(self, part: Part) -> None:
        """Take what concerns a whole part, whose frames come next; report damage."""
        if isinstance(part, Coded):
            self._coded_bytes += part.size
            self._coded_samples += part.samples
            channels, angles = part.codes.channels, part.codes.angles
            self._synthesizer.start(channels)
            frames = len(channels[0].gains)
        else:
            self._report(part)
            frames, angles = part.concealed, ()
        if self._stereo:
            self._stereo.add(frames, angles)

    def _restored(self, sound: CodedSound) -> Floats:
        """Return the samples [T, C] that coded sound completes, at the original rate."""
        return self._output.process(self._stereo.process(sound) if self._stereo else sound)

    def _report(self, lost: Lost) -> None:
        """Report the part of a gap that lies in the section."""
        assert self._on_gap is not None, "without on_gap, damage raises"
        first, last, rate = self._output.first, self._output.last, self._stream.sample_rate
        start, stop = (
            completed_samples(frame, rate, self._config)
            for frame in (lost.frame, lost.frame + lost.frames)
        )
        if lost.at_end and 0 < first >= start:
            return  # the whole section is missing, which is an error
        if lost.at_end and self._stream.samples is not None:
            stop = self._stream.samples
        start, stop = (max(first, at if last is None else min(at, last)) for at in (start, stop))
        self._on_gap(Gap(start, stop - start, rate, lost.reason, lost.at_end, lost.unread))

    def _end_text(self, total: int, end_bytes: int) -> str:
        """Say in words where a recording of `total` samples ends; without an end record, it may
        have been cut."""
        rate, whole = self._stream.sample_rate, self._stream.samples
        if not end_bytes and whole is not None and total < whole:
            return f"the file was cut at {total / rate:.3f} s of {whole / rate:.3f} s"
        return f"the recording ends at {total / rate:.3f} s"
