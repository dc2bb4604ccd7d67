"""Trims of a packet's spans, by how much decoded bands are corrected: to codes, and back.

What the trim of a span is can be expected in part, so its codes stand for the rest: none where that
is little, more where levels would be wrong without. Nothing is known of trims before a packet:
packets stay decodable on their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nacli.config import ModelConfig
from nacli.entropy import ChannelCodes, TrimTables
from nacli.harmonics import HarmonicFilter
from nacli.levels import BANDS, wanted_trims
from nacli.prediction import Expect, Prediction, RecentLevels, limited
from nacli.quantize import Codebooks, Codes, Floats, dequantize

PRICE, HALVING = 0.35, 0.8
"""Squared error of a span's trim that one bit has to save, where frames have no stages; and the
stages a frame that halve it."""


class Wanted(NamedTuple):
    """The trims of a packet's spans [S, BANDS] that would be right, the squared errors that a bit
    of each has to save [S], and what is expected of them."""

    trims: Floats
    prices: Floats
    expect: Expect


def lateness(config: ModelConfig) -> int:
    """Frames by which a frame's trims come after those that they are for."""
    return config.lookahead + HarmonicFilter.DELAY


def span_frames(counts: Codes, config: ModelConfig) -> int:
    """Frames of the spans of a packet whose frames have stage counts [F]: where there are many
    bits, levels get more of them at a time."""
    return 1 if counts.max(initial=0) >= config.trim_fine else config.trim_frames


def span_count(counts: Codes, config: ModelConfig) -> int:
    """Spans of such a packet."""
    return -(-len(counts) // span_frames(counts, config))


def span_stages(counts: Codes, span: int, late: int) -> Codes:
    """The most stages of what the trims of spans [S] of so many frames are for, in a packet with
    stage counts [F].

    What a frame's trims are for is `late` frames older, and has the stages of those; but the frames
    before a packet may be lost, so its first ones have their own."""
    shifted = np.concatenate([counts[:late], counts])[: len(counts)]
    return np.maximum.reduceat(shifted, np.arange(0, len(counts), span))


def span_ends(frames: int, span: int) -> Codes:
    """The last frames [S] of spans of so many frames; the last span may be shorter."""
    return np.minimum(np.arange(span, frames + span, span), frames) - 1


def prices(stages: Codes) -> Floats:
    """What a bit is worth in squared errors of trims, in spans with so many stages [S]: what is
    loud has more bits for its codes, and should have for its trims."""
    made: Floats = (PRICE * 0.5 ** (stages / HALVING)).astype(np.float32)
    return made


def want(
    original: Floats,
    decoded: Floats,
    levels: Floats,
    counts: Codes,
    late: int,
    prediction: Prediction,
    config: ModelConfig,
) -> Wanted:
    """What is wanted of a packet's trims, for frames with stage counts [F] and hops with energies
    [F, BANDS] of both sounds, and the `RecentLevels` of what was decoded."""
    span = span_frames(counts, config)
    stages = span_stages(counts, span, late)
    expect = prediction.of(levels[span_ends(len(counts), span)], stages, span)
    return Wanted(wanted_trims(original, decoded, span), prices(stages), expect)


def quantize_trims(
    wanted: Wanted, codebooks: Codebooks, tables: TrimTables, worth: float = 1.0
) -> tuple[Codes, Codes]:
    """Codes [S, N] that bring the trims of spans near to what is wanted, and how many each span has
    [S], 0 after them: as many as leave the least sum of the squared error and of what they take,
    bits being worth so many times as much as usual."""
    codes = np.zeros((len(wanted.trims), codebooks.stages), dtype=np.int32)
    counts = np.zeros(len(wanted.trims), dtype=np.int32)
    trim, before = np.zeros(wanted.trims.shape[1], dtype=np.float32), (0, 0)
    bits = (worth * wanted.prices).tolist()
    for span, (row, bit) in enumerate(zip(wanted.trims, bits, strict=True)):
        new = row - wanted.expect(span, trim)
        found, left = _cheapest(new, bit, before, codebooks, tables)
        codes[span, : len(found)], counts[span] = found, len(found)
        trim, before = row - left, (len(found), before[0])
    return codes, counts


def _cheapest(
    new: Floats, bit: float, before: tuple[int, int], codebooks: Codebooks, tables: TrimTables
) -> tuple[list[int], Floats]:
    """The codes of a span for what is new [bands], and what they leave of it. Each is the nearest
    to what those before it leave: sums of several paths, as for latents, are worth nothing here."""
    numbers, codes, left = tables.number_bits(before), [], new
    least, count, kept = float(new.dot(new)) + bit * numbers[0], 0, new
    for vectors, half in zip(codebooks.vectors, codebooks.half_energies, strict=True):
        codes.append(int((half - vectors.dot(left)).argmin()))
        left = left - vectors[codes[-1]]
        cost = float(left.dot(left)) + bit * (numbers[len(codes)] + tables.codes_bits(codes))
        if cost < least:
            least, count, kept = cost, len(codes), left
    return codes[:count], kept


def dequantize_trims(
    codes: Codes, counts: Codes, codebooks: Codebooks, expect: Expect, before: Floats | None = None
) -> Floats:
    """Trims [S, bands] of the codes [S, N] of spans, so many for each [S]; `before` is the trim of
    the span before them in their packet."""
    trims = dequantize(codes, counts, codebooks)
    trim = np.zeros(trims.shape[1], dtype=np.float32) if before is None else before
    for span in range(len(trims)):
        trims[span] = trim = limited(expect(span, trim) + trims[span])
    return trims


class TrimDecoder:
    """The trims of one stream's channels, from the codes of its packets and the sound that comes
    with them."""

    def __init__(
        self,
        config: ModelConfig,
        codebooks: Codebooks | None,
        prediction: Prediction,
        channels: int,
    ) -> None:
        """`codebooks` are those of trims; None where there are no trims."""
        self._config, self._codebooks, self._prediction = config, codebooks, prediction
        self._recent = RecentLevels(channels)
        self._coded: list[ChannelCodes] = []
        self._frame = 0
        self._before: Floats = np.zeros((channels, BANDS), dtype=np.float32)

    def start(self, coded: list[ChannelCodes]) -> None:
        """A packet with these codes begins."""
        self._coded, self._frame = (coded, 0) if self._codebooks else ([], 0)

    def take(self, energies: Floats) -> Floats:
        """Trims [C, F, BANDS] of the packet's next frames, whole spans of them, with which come
        hops of sound with these energies [C, F, BANDS]. After the last the trims stay."""
        levels, frames = self._recent.of(energies), energies.shape[1]
        trims = self._before[:, None].repeat(frames, axis=1)
        for row, channel in enumerate(self._coded):
            if self._frame < len(channel.gains):
                trims[row] = self._decoded(channel, levels[row], self._before[row])
        self._frame += frames
        self._before = trims[:, -1]
        return trims

    def _decoded(self, channel: ChannelCodes, levels: Floats, before: Floats) -> Floats:
        """Those of a channel's frames [F, BANDS], whose hops have these levels [F, ...]."""
        frames, counts = len(levels), channel.counts
        span = span_frames(counts, self._config)
        assert self._frame % span == 0, "spans come whole"
        part = slice(self._frame // span, -(-(self._frame + frames) // span))
        stages = span_stages(counts, span, lateness(self._config))[part]
        expect = self._prediction.of(levels[span_ends(frames, span)], stages, span)
        assert self._codebooks is not None, "codes are not there without"
        first = None if self._frame == 0 else before
        codes = (channel.trims[part], channel.trim_counts[part])
        trims = dequantize_trims(*codes, self._codebooks, expect, first)
        return trims.repeat(span, axis=0)[:frames]
