"""The packet encoder: the features of a packet to its codes and payload, packet after packet."""

from __future__ import annotations

from dataclasses import dataclass

from nacli.checkpoint import Model
from nacli.encoder.candidates import CandidateMaker
from nacli.encoder.local_decoder import LocalDecoder
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket
from nacli.encoder.rate_loop import Estimates, FittedPacket, RateLoop
from nacli.encoder.settings import EncoderSettings
from nacli.entropy import PacketCodes
from nacli.quantizer.allocation import packet_levels


@dataclass(frozen=True)
class EncodedPacket:
    """A packet's allocation levels by channel, its codes, and the payload that holds them."""

    levels: tuple[int, ...]
    codes: PacketCodes
    payload: bytes


class PacketEncoder:
    """Chooses levels and codes of the packets of a stream.

    `search` and `search_ahead` change no state and may run ahead in another thread. `fit` and
    `at_level` are called once a packet, in order, by the caller's thread: they keep the packet's
    estimates for the next one.
    """

    def __init__(self, model: Model, channels: int, settings: EncoderSettings) -> None:
        self._maker = CandidateMaker(model, settings.effort)
        self._loop = RateLoop(model, self._maker, settings.packet_frames)
        decoder = LocalDecoder(model.config, model.networks, model.predictor, channels)
        self._estimates = Estimates(1.0, 1.0, decoder)

    def search(self, analysis: PacketAnalysis, level: int) -> SearchedPacket:
        """Search the codes of a packet up to an allocation level."""
        return self._maker.search(analysis, level)

    def search_ahead(self, analysis: PacketAnalysis, budget: float) -> SearchedPacket:
        """Search and score the codes of a packet whose share of the rate is `budget` bytes."""
        return self._loop.search_ahead(analysis, budget)

    def fit(self, packet: SearchedPacket, budget: int, snr_db: float) -> EncodedPacket:
        """Encode the next packet within a budget in bytes, or with fewer where `snr_db` is reached.
        See `RateLoop.fit`."""
        return self._keep(self._loop.fit(packet, budget, snr_db, self._estimates))

    def at_level(self, packet: SearchedPacket, snr_db: float) -> EncodedPacket:
        """Encode the next packet at the level it was searched to, or at a lower one at which
        `snr_db` is reached."""
        level = self._maker.sufficient_level(packet, snr_db, packet.max_level)
        return self._keep(self._loop.at_level(packet, level, self._estimates))

    def _keep(self, fitted: FittedPacket) -> EncodedPacket:
        """Keep this packet's estimates for the next packet; return its codes and payload."""
        self._estimates = fitted.after
        levels = packet_levels(fitted.level, len(fitted.codes.channels))
        return EncodedPacket(levels, fitted.codes, fitted.payload)
