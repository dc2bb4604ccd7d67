"""Which codes a packet gets: as many stages as fit a budget, or as a quality asks for."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nacli.allocate import highest_level, packet_counts, packet_levels, trim_counts
from nacli.checkpoint import Model
from nacli.entropy import ChannelCodes
from nacli.format import packet_cost
from nacli.localdecoder import LocalDecoder
from nacli.quantize import Found, dequantize, search, select
from nacli.refine import average_costs, exchange_rates, refine
from nacli.trims import quantize_trims

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

DEFAULT_EFFORT = 1
"""The best value for its time; models/README.md has the figures."""
EAGERNESS = 0.25
"""The share of what a bit buys that is paid for it."""
TRIES = 3
"""Times that codes are weighed against their bits by the learned model before a packet does
without."""
MARGIN = 1.005
"""Of the bits that are expected, since another try costs more than bits that wait a packet."""
DEEPER = 6
"""Levels that are looked at beyond the one at which codes of average size would fit."""
AUDIBLE = 24
"""Gain steps under a packet's peak, 36 dB, within which frames count for what is close enough."""


@dataclass(frozen=True)
class Effort:
    """How codes are searched: the `beam` best sums of every frame are kept, by their error and by
    what codes take on average; with `refined`, so many in a second pass, by what the learned model
    asks."""

    beam: int
    refined: int = 0


EFFORTS = (Effort(1), Effort(4), Effort(8), Effort(1, refined=8))
"""By number, as `--effort` takes it."""


@dataclass(frozen=True)
class Analysis:
    """What the network makes of a packet: latents [C, F, D] and gains [C, F]; and the energies of
    its bands [C, F, BANDS]."""

    latents: Floats
    gains: Integers
    energies: Floats


@dataclass(frozen=True)
class Draft:
    """A packet and its best codes by channel: deep enough for the level `depth`."""

    packet: Analysis
    depth: int
    found: list[Found]


@dataclass(frozen=True)
class Chosen:
    """A packet's levels by channel, its codes, and the payload that holds them."""

    levels: tuple[int, ...]
    channels: list[ChannelCodes]
    payload: bytes
    decoder: LocalDecoder
    """After it."""


class Chooser:
    """Chooses levels and codes of the packets of a stream."""

    def __init__(self, model: Model, channels: int, packet_frames: int, effort: int) -> None:
        """`packet_frames` is what the header says; `effort` an index of EFFORTS, else
        `ValueError`."""
        if not 0 <= effort < len(EFFORTS):
            raise ValueError(f"effort {effort} is not within 0..{len(EFFORTS) - 1}")
        self._model, self._frames, self._effort = model, packet_frames, EFFORTS[effort]
        self._costs = average_costs(model.codebooks, model.tables, EAGERNESS)
        self._prices = EAGERNESS * exchange_rates(model.codebooks, model.tables)
        self._trim_bits = model.entropy.trims.mean_bits()
        self._decoder = LocalDecoder(model.config, model.networks, channels)
        self._share = 1.0
        """Of the size that is expected of a packet, what packets took lately."""

    def draft(self, packet: Analysis, depth: int) -> Draft:
        """Search the codes of a packet to a level. It takes most of the time and may run ahead of
        the packets before."""
        return Draft(packet, depth, self._search(packet, depth))

    def likely_depth(self, gains: Integers, budget: float) -> int:
        """The level to which codes are likely to be needed, where a packet's share of the rate is
        `budget` bytes: it may get more."""
        return self._typical_level(gains, budget) + 2 * DEEPER

    def at_level(self, draft: Draft, enough_db: float) -> Chosen:
        """A packet at the level of its draft's depth, or a lower one at which its latents come back
        with a signal-to-noise ratio of `enough_db` already. Packets follow each other."""
        level = self._enough(draft, enough_db, draft.depth)
        return self._keep(self._make(draft, level))

    def fit(self, draft: Draft, budget: int, enough_db: float) -> Chosen:
        """The highest level whose packet should fit a budget in bytes, or a lower one that does or
        at which `enough_db` is reached.

        Only the deepest level that may be needed is scored code by code: what is left of it at a
        lower level tells closely enough what that will take.
        """
        gains = draft.packet.gains
        deepest = min(self._most, self._typical_level(gains, budget) + DEEPER)
        if deepest > draft.depth:  # it may have more than usual
            draft = self.draft(draft.packet, deepest)
        deepest = self._enough(draft, enough_db, deepest)
        size = self._sizes(draft, deepest)

        def expected(counts: Integers) -> float:
            return MARGIN * self._share * size(counts)

        wanted, tries = float(budget), 0
        while True:
            level = self._bisect(gains, expected, wanted, deepest)
            chosen = self._make(draft, level, refined=tries < TRIES)
            real = self._size_with(8 * len(chosen.payload), gains)
            self._share += (real / size(self._counts(gains, level)) - self._share) / 2
            if real <= budget or level == 0:
                return self._keep(chosen)
            wanted, deepest, tries = wanted - (real - budget), level - 1, tries + 1

    def _typical_level(self, gains: Integers, budget: float) -> int:
        """The level at which a packet of average codes takes a budget in bytes."""
        return self._bisect(gains, self._typical_bits, 8 * 1.1 * budget, self._most)

    @property
    def _most(self) -> int:
        return highest_level(self._model.codebooks.stages)

    def _search(self, packet: Analysis, level: int) -> list[Found]:
        books, beam = self._model.codebooks, self._effort.beam
        deep = max(1, int(self._counts(packet.gains, level).max()))
        return [search(row, books, deep, beam, self._costs) for row in packet.latents]

    def _keep(self, chosen: Chosen) -> Chosen:
        """The next packet follows this one."""
        self._decoder = chosen.decoder
        return chosen

    def _make(self, draft: Draft, level: int, refined: bool = True) -> Chosen:
        """The packet at a level."""
        if refined and self._effort.refined:
            channels = self._refine(draft.packet, level)
        else:
            channels = self._channels(draft, level)
        decoder = self._decoder.copy()
        if self._model.codebooks.trims:
            channels = self._trimmed(channels, draft.packet.energies, decoder)
        levels = packet_levels(level, len(channels))
        return Chosen(levels, channels, self._model.entropy.compress(channels), decoder)

    def _refine(self, packet: Analysis, level: int) -> list[ChannelCodes]:
        channels = []
        rows = zip(packet.latents, packet.gains, self._counts(packet.gains, level), strict=True)
        for latents, gains, counts in rows:
            forecast = self._model.entropy.forecast(gains, counts)
            codes = refine(
                latents,
                counts,
                self._prices[np.maximum(counts - 1, 0)],
                forecast,
                self._model.codebooks,
                self._effort.refined,
            )
            channels.append(ChannelCodes(gains, codes, counts))
        return channels

    def _trimmed(
        self, channels: list[ChannelCodes], energies: Floats, decoder: LocalDecoder
    ) -> list[ChannelCodes]:
        """The channels with the trims that bring bands of what decoders will make of them nearer
        to those of the original."""
        books = self._model.codebooks
        assert books.trims is not None
        latents = np.stack([dequantize(c.codes, c.counts, books) for c in channels])
        gains, counts = (np.stack([getattr(c, n) for c in channels]) for n in ("gains", "counts"))
        wanted = decoder.wanted(energies, latents, gains, counts)
        found = []
        config = self._model.config
        for channel, row in zip(channels, wanted, strict=True):
            spans = trim_counts(channel.counts, config)
            codes = quantize_trims(row, spans, books.trims, config.trim_memory)
            found.append(replace(channel, trims=codes, trim_counts=spans))
        return found

    def _enough(self, draft: Draft, decibels: float, most: int) -> int:
        """The lowest level at which what is lost of the latents is small; `most` if none below.
        More stages lose less, but for exceptions that do not matter here."""
        gains, found = draft.packet.gains, draft.found
        audible = gains > max(0, int(gains.max()) - AUDIBLE)
        whole = sum(float(f.errors[0, row].sum()) for f, row in zip(found, audible, strict=True))

        def kept(level: int) -> float:
            rows = zip(found, audible, self._counts(gains, level), strict=True)
            lost = sum(float(f.errors[c[row], row.nonzero()[0]].sum()) for f, row, c in rows)
            return 10 * math.log10(whole / lost) if lost > 0 else math.inf

        return bisect_left(range(most), decibels, key=kept)

    def _sizes(self, draft: Draft, deepest: int) -> Callable[[Integers], float]:
        """A function from stage counts, of levels to `deepest`, to the size of their packet."""
        entropy = self._model.entropy
        bits = [entropy.code_bits(c) for c in self._channels(draft, deepest)]
        sums = [np.pad(row.cumsum(1), ((0, 0), (1, 0))) for row in bits]
        gain_bits = sum(entropy.gains.bits(row) for row in draft.packet.gains)

        def size(counts: Integers) -> float:
            rows = (row[np.arange(len(row)), c] for row, c in zip(sums, counts, strict=True))
            code_bits = sum(float(row.sum()) for row in rows)
            return self._packet_size(code_bits + gain_bits, counts)

        return size

    def _bisect(
        self, gains: Integers, size: Callable[[Integers], float], limit: float, most: int
    ) -> int:
        """The highest level to `most` whose stage counts have at most this `size`; else 0."""
        return bisect_right(
            range(1, most + 1), limit, key=lambda level: size(self._counts(gains, level))
        )

    def _typical_bits(self, counts: Integers) -> float:
        """What codes of average size would take."""
        total = np.concatenate([[0.0], np.cumsum(self._model.entropy.mean_code_bits)])
        return float(total[counts].sum())

    def _packet_size(self, bits: float, counts: Integers) -> float:
        """Bytes that a packet with stage counts [C, F] should take, whose gains and codes take
        `bits`."""
        spans = (trim_counts(row, self._model.config) for row in counts)
        bits += sum(float(self._trim_bits[row].sum()) for row in spans)
        return self._size_with(bits, counts)

    def _size_with(self, payload_bits: float, rows: Integers) -> float:
        """Bytes of a packet of `rows` [C, F] with such a payload."""
        return packet_cost(len(rows), math.ceil(payload_bits / 8), rows.shape[1], self._frames)

    def _counts(self, gains: Integers, level: int) -> Integers:
        levels = packet_levels(level, len(gains))
        return packet_counts(gains, levels, self._model.codebooks.stages)

    def _channels(self, draft: Draft, level: int) -> list[ChannelCodes]:
        gains = draft.packet.gains
        rows = zip(draft.found, gains, self._counts(gains, level), strict=True)
        return [ChannelCodes(row, select(f.paths, count), count) for f, row, count in rows]
