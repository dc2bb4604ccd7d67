"""Which codes a packet gets: as many stages as fit a budget, or as a quality asks for."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nacli.allocate import highest_level, packet_counts, packet_levels
from nacli.checkpoint import Model
from nacli.entropy import ChannelCodes
from nacli.format import packet_cost
from nacli.highband import span_frames as high_span_frames
from nacli.localdecoder import LocalDecoder
from nacli.quantize import Found, dequantize, search, select
from nacli.refine import average_costs, exchange_rates, refine
from nacli.trims import Wanted, quantize_trims, span_count

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

Kind = TypeVar("Kind")

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
CLOSE = 2
"""Of these, how many are enough where codes have been scored ahead."""
CODER_SLACK = 16.0
"""Bits that a payload may be longer than what its symbols take."""
SPARE = 0.1
"""Of what trims take, that may be left over; more goes into trims."""
FILLS = 2
"""Tries at how much bits are to be worth for that."""
ELASTICITY, DEARER = 1.5, 4.0
"""By how much dearer bits become where trims take fewer: a power of the share, and at most."""
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
    """What the network makes of a packet: latents [C, F, D] and gains [C, F]; the energies of its
    bands [C, F, BANDS]; and of each channel, where there is a high band, its levels [S, n] by the
    frames of a span."""

    latents: Floats
    gains: Integers
    energies: Floats
    high: list[dict[int, Integers]] = field(default_factory=list)


@dataclass(frozen=True)
class Sizes:
    """What gains and codes of a packet should take at levels to `deepest`: `bits` of stage counts
    [C, F]."""

    deepest: int
    bits: Callable[[Integers], float]


@dataclass(frozen=True)
class Draft:
    """A packet and its best codes by channel: deep enough for the level `depth`."""

    packet: Analysis
    depth: int
    found: list[Found]
    sizes: Sizes | None
    """Where there is a bitrate."""


@dataclass(frozen=True)
class Made:
    """A packet's level, its codes with their trims, what is wanted of these by channel, and the
    bits that they take."""

    level: int
    channels: list[ChannelCodes]
    decoder: LocalDecoder
    """After it."""
    wanted: list[Wanted]
    trim_bits: float


@dataclass(frozen=True)
class Chosen:
    """A packet's levels by channel, its codes, and the payload that holds them."""

    levels: tuple[int, ...]
    channels: list[ChannelCodes]
    payload: bytes


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
        self._trim_bits = model.entropy.trims.first_bits()
        """What the trims of a span took lately."""
        self._decoder = LocalDecoder(model.config, model.networks, model.prediction, channels)
        self._share = 1.0
        """Of the bits that gains and codes should take, what they took lately."""

    def draft(self, packet: Analysis, depth: int) -> Draft:
        """Search the codes of a packet to a level. It takes most of the time and may run ahead of
        the packets before."""
        return Draft(packet, depth, self._search(packet, depth), None)

    def sized_draft(self, packet: Analysis, budget: float) -> Draft:
        """The same of a packet whose share of the rate is `budget` bytes, and score its codes. It
        may get more, so codes are searched deeper."""
        level = self._typical_level(packet.gains, budget) + DEEPER
        draft = self.draft(packet, level + DEEPER)
        return replace(draft, sizes=self._sizes(draft, min(self._most, level)))

    def at_level(self, draft: Draft, enough_db: float) -> Chosen:
        """A packet at the level of its draft's depth, or a lower one at which its latents come back
        with a signal-to-noise ratio of `enough_db` already. Packets follow each other."""
        made = self._make(draft, self._enough(draft, enough_db, draft.depth))
        return self._keep(made, self._model.entropy.compress(made.channels))

    def fit(self, draft: Draft, budget: int, enough_db: float) -> Chosen:
        """The highest level whose packet should fit a budget in bytes, or a lower one that does or
        at which `enough_db` is reached. Trims take up what codes leave over or lack.

        Only the deepest level that may be needed is scored code by code: what is left of it at a
        lower level tells closely enough what that will take.
        """
        gains = draft.packet.gains
        usual, sizes = self._typical_level(gains, budget), draft.sizes
        if sizes is None or usual + CLOSE > sizes.deepest:  # it may have more than usual
            deepest = min(self._most, usual + DEEPER)
            if deepest > draft.depth:
                draft = self.draft(draft.packet, deepest)
            sizes = self._sizes(draft, deepest)
        bits = sizes.bits
        deepest = self._enough(draft, enough_db, sizes.deepest)

        def expected(counts: Integers) -> float:
            return self._packet_size(MARGIN * self._share * bits(counts) + CODER_SLACK, counts)

        wanted, tries = float(budget), 0
        while True:
            level = self._bisect(gains, expected, wanted, deepest)
            made = self._make(draft, level, refined=tries < TRIES)
            likely = bits(self._counts(gains, level))
            made, payload = self._packed(made, self._share * likely, budget, level < deepest)
            self._learn(likely, 8 * len(payload) - made.trim_bits)
            over = self._size_with(8 * len(payload), gains) - budget
            if over <= 0 or level == 0:
                return self._keep(made, payload)
            wanted, deepest, tries = wanted - over, level - 1, tries + 1

    def _packed(self, made: Made, likely: float, budget: int, grows: bool) -> tuple[Made, bytes]:
        """The packet and its payload, with trims that fill a budget in bytes where its gains and
        codes take `likely` bits; once more where they turn out to take others."""
        entropy, rows = self._model.entropy, np.stack([channel.gains for channel in made.channels])
        placed = [entropy.place_codes(channel) for channel in made.channels]
        for _ in range(2):
            room = 8 * (budget - self._size_with(likely + CODER_SLACK, rows))
            made = self._fill(made, room, grows)
            payload = entropy.compress(made.channels, placed)
            if self._size_with(8 * len(payload), rows) <= budget:
                break
            likely = 8 * len(payload) - made.trim_bits - CODER_SLACK
        return made, payload

    def _learn(self, likely: float, taken: float) -> None:
        """Of the next packet, as much more or less is expected."""
        if likely > 0 and taken > CODER_SLACK:
            self._share += ((taken - CODER_SLACK / 2) / likely - self._share) / 2

    def _fill(self, made: Made, room: float, grows: bool) -> Made:
        """The packet with trims that take nearly as many bits as there is room for; no more than
        is usual where it is not to grow. That takes less time than another level."""
        taken = made.trim_bits
        if not taken or (taken <= room and (not grows or room <= (1 + SPARE) * taken)):
            return made
        best, worth = made, 1.0
        for _ in range(FILLS):
            worth *= min(DEARER, max(1 / DEARER, (taken / max(room, 1.0)) ** ELASTICITY))
            tried = self._trimmed(made, worth)
            taken = tried.trim_bits
            if taken <= room:
                return tried
            if taken < best.trim_bits:
                best = tried
        return best

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

    def _keep(self, made: Made, payload: bytes) -> Chosen:
        """The next packet follows this one."""
        self._decoder = made.decoder
        return Chosen(packet_levels(made.level, len(made.channels)), made.channels, payload)

    def _make(self, draft: Draft, level: int, refined: bool = True) -> Made:
        """The packet at a level."""
        if refined and self._effort.refined:
            channels = self._refine(draft.packet, level)
        else:
            counts = self._counts(draft.packet.gains, level)
            channels = _channels(draft.packet.gains, draft.found, counts)
        if draft.packet.high:
            rows = zip(channels, draft.packet.high, strict=True)
            channels = [replace(row, high=_at_span(high, row.counts)) for row, high in rows]
        decoder = self._decoder.copy()
        if not self._model.codebooks.trims:
            return Made(level, channels, decoder, [], 0.0)
        wanted = self._wanted(channels, draft.packet.energies, decoder)
        made = self._trimmed(Made(level, channels, decoder, wanted, 0.0))
        spans = sum(len(channel.trim_counts) for channel in made.channels)
        self._trim_bits += (made.trim_bits / max(1, spans) - self._trim_bits) / 2
        return made

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

    def _wanted(
        self, channels: list[ChannelCodes], energies: Floats, decoder: LocalDecoder
    ) -> list[Wanted]:
        """The trims that bring bands of what decoders will make of the channels to the levels of
        the original's."""
        books = self._model.codebooks
        latents = np.stack([dequantize(c.codes, c.counts, books) for c in channels])
        gains, counts = (np.stack([getattr(c, n) for c in channels]) for n in ("gains", "counts"))
        return decoder.wanted(energies, latents, gains, counts)

    def _trimmed(self, made: Made, worth: float = 1.0) -> Made:
        """The packet with trims near to what is wanted, bits being worth so many times as much as
        usual."""
        books, tables = self._model.codebooks.trims, self._model.entropy.trims
        assert books is not None, "nothing is wanted without"
        found, taken = [], 0.0
        for channel, row in zip(made.channels, made.wanted, strict=True):
            codes, numbers = quantize_trims(row, books, tables, worth)
            found.append(replace(channel, trims=codes, trim_counts=numbers))
            taken += tables.bits(codes, numbers)
        return replace(made, channels=found, trim_bits=taken)

    def _enough(self, draft: Draft, decibels: float, most: int) -> int:
        """The lowest level at which what is lost of the latents is small; `most` if none below.
        More stages lose less, but for exceptions that do not matter here."""
        gains, found = draft.packet.gains, draft.found
        audible = gains > max(0, int(gains.max()) - AUDIBLE)
        whole = sum(float(f.errors[0, row].sum()) for f, row in zip(found, audible, strict=True))

        def kept(level: int) -> float:
            rows = zip(found, audible, self._counts(gains, level), strict=True)
            lost = sum(float(f.errors[c[row], row.nonzero()[0]].sum()) for f, row, c in rows)
            return 10 * math.log10(whole / lost) if whole > 0 and lost > 0 else math.inf

        return bisect_left(range(most), decibels, key=kept)

    def _sizes(self, draft: Draft, deepest: int) -> Sizes:
        """Of levels to `deepest`."""
        entropy, gains = self._model.entropy, draft.packet.gains
        channels = _channels(gains, draft.found, self._counts(gains, deepest))
        bits = [entropy.code_bits(channel) for channel in channels]
        sums = [np.pad(row.cumsum(1), ((0, 0), (1, 0))) for row in bits]
        gain_bits = sum(entropy.gains.bits(row) for row in gains)
        high = [
            {span: entropy.high.bits(levels) for span, levels in row.items()}
            for row in draft.packet.high
        ]

        def total(counts: Integers) -> float:
            rows = (row[np.arange(len(row)), c] for row, c in zip(sums, counts, strict=True))
            side = sum(_at_span(row, c) for row, c in zip(high, counts, strict=bool(high)))
            return gain_bits + side + sum(float(row.sum()) for row in rows)

        return Sizes(deepest, total)

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
        if self._model.codebooks.trims:
            bits += sum(span_count(row, self._model.config) for row in counts) * self._trim_bits
        return self._size_with(bits, counts)

    def _size_with(self, payload_bits: float, rows: Integers) -> int:
        """Bytes of a packet of `rows` [C, F] with such a payload."""
        return packet_cost(len(rows), math.ceil(payload_bits / 8), rows.shape[1], self._frames)

    def _counts(self, gains: Integers, level: int) -> Integers:
        levels = packet_levels(level, len(gains))
        return packet_counts(gains, levels, self._model.codebooks.stages)


def _channels(gains: Integers, found: list[Found], counts: Integers) -> list[ChannelCodes]:
    """Of the codes found for channels, those of stage counts [C, F]."""
    rows = zip(found, gains, counts, strict=True)
    return [ChannelCodes(row, select(f.paths, count), count) for f, row, count in rows]


def _at_span(high: dict[int, Kind], counts: Integers) -> Kind:
    """Of what a channel's high band has by the frames of a span, that for stage counts [F]."""
    return high[high_span_frames(counts)]
