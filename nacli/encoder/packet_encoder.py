"""The packet encoder: the features of a packet to its codes and payload, packet after packet."""

from __future__ import annotations

from dataclasses import dataclass

from nacli.checkpoint import Model
from nacli.encoder.candidates import Candidate, CandidateMaker, Estimates
from nacli.encoder.local_decoder import LocalDecoder
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket
from nacli.encoder.rate_loop import RateLoop
from nacli.encoder.settings import EncoderSettings
from nacli.entropy import ChannelCodes
from nacli.quantizer.allocation import packet_levels


@dataclass(frozen=True)
class EncodedPacket:
    """A packet's allocation levels by channel, its codes, and the payload that holds them."""

    levels: tuple[int, ...]
    channels: list[ChannelCodes]
    payload: bytes


class PacketEncoder:
    """Chooses levels and codes of the packets of a stream.

    `search` and `search_ahead` change no state and may run ahead in another thread. `fit` and
    `at_level` are called once a packet, in order, by the thread that owns the stream: they take the
    packet's estimates over.
    """

    def __init__(self, model: Model, channels: int, settings: EncoderSettings) -> None:
        self._entropy = model.entropy
        self._maker = CandidateMaker(model, settings.effort)
        self._loop = RateLoop(model, self._maker, settings.packet_frames)
        decoder = LocalDecoder(model.config, model.networks, model.predictor, channels)
        self._estimates = Estimates(1.0, model.entropy.corrections.mean_first_bits(), decoder)

    def search(self, analysis: PacketAnalysis, level: int) -> SearchedPacket:
        """Search the codes of a packet up to an allocation level."""
        return self._maker.search(analysis, level)

    def search_ahead(self, analysis: PacketAnalysis, budget: float) -> SearchedPacket:
        """Search and score the codes of a packet whose share of the rate is `budget` bytes."""
        return self._loop.search_ahead(analysis, budget)

    def fit(self, packet: SearchedPacket, budget: int, snr_db: float) -> EncodedPacket:
        """Encode the next packet within a budget in bytes, or with fewer where `snr_db` is reached.
        See `RateLoop.fit`."""
        fitted = self._loop.fit(packet, budget, snr_db, self._estimates)
        return self._keep(fitted.candidate, fitted.payload)

    def at_level(self, packet: SearchedPacket, snr_db: float) -> EncodedPacket:
        """Encode the next packet at the level it was searched to, or at a lower one at which
        `snr_db` is reached."""
        level = self._maker.sufficient_level(packet, snr_db, packet.depth)
        candidate = self._maker.make(packet, level, self._estimates)
        return self._keep(candidate, self._entropy.compress(candidate.channels))

    def _keep(self, candidate: Candidate, payload: bytes) -> EncodedPacket:
        """The next packet follows this one."""
        self._estimates = candidate.after
        levels = packet_levels(candidate.level, len(candidate.channels))
        return EncodedPacket(levels, candidate.channels, payload)
