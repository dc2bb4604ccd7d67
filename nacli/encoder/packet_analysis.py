"""Data of a packet before its codes are chosen: its features, and the codes that were found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nacli.encoder.code_search import SearchResult
from nacli.types import Floats, Integers


@dataclass(frozen=True)
class PacketAnalysis:
    """The features of a packet.

    Args:
        latents: the Encoder's output [C, F, D].
        gains: gain indices [C, F]; 0 is silence.
        energies: band energies of the hops [C, F, BANDS], for the envelope corrections.
        counts: the function that returns the stage counts [C, F] at an allocation level. Callers
            share these arrays and must not change them.
        high_band: for each channel the function that returns the levels [S, n] of the high band
            in spans of a number of frames; empty where the stream has no high band.
        angles: angles of the stereo rotation, as `nacli.entropy.PacketCodes` has them.
    """

    latents: Floats
    gains: Integers
    energies: Floats
    counts: Callable[[int], Integers]
    high_band: Sequence[Callable[[int], Integers]] = ()
    angles: tuple[int, ...] = ()


@dataclass(frozen=True)
class SizePrediction:
    """Predicts the bits of a packet's angles, gains, codes and high band, and the bits of its
    corrections, at an allocation level up to `max_level`."""

    max_level: int
    bits: Callable[[int], float]
    correction_bits: Callable[[int], float]


@dataclass(frozen=True)
class SearchedPacket:
    """A packet and its best codes by channel, for allocation levels up to `max_level`; with a
    prediction of its size where there is a bitrate."""

    analysis: PacketAnalysis
    max_level: int
    results: list[SearchResult]
    sizes: SizePrediction | None = None
