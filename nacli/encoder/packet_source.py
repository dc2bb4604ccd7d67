"""The first half of encoding: samples to packets whose codes have been searched."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from nacli.encoder.analyzer import Analyzer
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket
from nacli.encoder.packet_encoder import PacketEncoder
from nacli.encoder.rate_control import QualityControl, RateControl
from nacli.prefetch import prefetch
from nacli.types import Pcm

PACKETS_AHEAD = 2
"""Packets that are analysed and searched ahead, in the prefetch thread."""


class PacketSource:
    """Analyses the samples of one stream and searches the codes of its packets.

    The analyzer and the quality control belong to the prefetch thread while `packets` is iterated,
    and to the caller's thread otherwise. Of the rate control only `share` is used, which does not
    depend on its state.
    """

    def __init__(
        self,
        analyzer: Analyzer,
        packet_encoder: PacketEncoder,
        control: RateControl | QualityControl,
        packet_frames: int,
        frame_rate: float,
    ) -> None:
        self._analyzer, self._packet_encoder = analyzer, packet_encoder
        self._control = control
        self._packet_frames, self._frame_rate = packet_frames, frame_rate

    def packets(self, blocks: Iterable[Pcm]) -> Generator[SearchedPacket]:
        """Push blocks of samples and yield the packets of full length that they complete. The next
        ones are searched while one is in use; take all of them before another call."""
        return prefetch(self._packets(blocks), PACKETS_AHEAD)

    def last(self) -> SearchedPacket | None:
        """Return a last packet of the frames that are left, if there are any."""
        frames = self._analyzer.pending_frames
        return self._search(self._analyzer.take(frames)) if frames else None

    def _packets(self, blocks: Iterable[Pcm]) -> Iterator[SearchedPacket]:
        yield from self._ready()
        for pcm in blocks:
            self._analyzer.push(pcm)
            yield from self._ready()

    def _ready(self) -> Iterator[SearchedPacket]:
        while self._analyzer.ready(self._packet_frames):
            yield self._search(self._analyzer.take(self._packet_frames))

    def _search(self, analysis: PacketAnalysis) -> SearchedPacket:
        seconds = analysis.gains.shape[1] / self._frame_rate
        if isinstance(self._control, RateControl):
            return self._packet_encoder.search_ahead(analysis, self._control.share(seconds))
        level = self._control.level(analysis.gains, seconds)
        return self._packet_encoder.search(analysis, level)
