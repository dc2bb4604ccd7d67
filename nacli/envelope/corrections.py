"""Envelope corrections: by how much the bands of decoded sound are to be louder or softer.

A quantiser at a low rate keeps the waveform of strong components and loses the energy of the rest;
the ear notices the missing band energies more. A packet is divided into spans of frames, and each
span has a correction of all bands. The predictor knows part of it from decoded sound; codes carry
the rest, and only where they are worth their bits. Nothing is known of corrections before a packet:
packets stay decodable on their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS, band_corrections
from nacli.entropy import ChannelCodes
from nacli.envelope.predictor import CorrectionPredictor, Predict, RecentLevels, limited
from nacli.quantizer.rvq import Codebooks, dequantize
from nacli.timing import corrections_delay
from nacli.types import Floats, Integers

BASE_LAMBDA, HALVING_STAGES = 0.35, 0.8
"""Rate-distortion weight of corrections, in squared error per bit: its value for frames without
stages, and the number of stages that halves it."""


class CorrectionTargets(NamedTuple):
    """For the spans of a packet: the corrections that would restore the original's band energies
    [S, BANDS], their rate-distortion weights [S], and the predictor."""

    corrections: Floats
    lambdas: Floats
    predict: Predict


def span_frames(counts: Integers, config: ModelConfig) -> int:
    """Return the frames of a span in a packet whose frames have stage counts [F]: with many bits,
    spans are shorter."""
    fine = counts.max(initial=0) >= config.correction_fine
    return 1 if fine else config.correction_frames


def span_count(counts: Integers, config: ModelConfig) -> int:
    """Return the number of spans of a packet whose frames have stage counts [F]."""
    return -(-len(counts) // span_frames(counts, config))


def span_stages(counts: Integers, span: int, delay: int) -> Integers:
    """Return the largest stage count of the frames that each span corrects [S], in a packet whose
    frames have stage counts [F].

    A span corrects samples that are `delay` frames older than itself. The frames before a packet
    may be lost, so its first spans use their own frames.
    """
    shifted = np.concatenate([counts[:delay], counts])[: len(counts)]
    return np.maximum.reduceat(shifted, np.arange(0, len(counts), span))


def span_ends(frames: int, span: int) -> Integers:
    """Return the last frame of each span [S]; the last span may be shorter."""
    return np.minimum(np.arange(span, frames + span, span), frames) - 1


def correction_lambdas(stages: Integers) -> Floats:
    """Return the rate-distortion weights of spans with these stage counts [S]: frames that get more
    bits for their codes get more for their corrections."""
    lambdas: Floats = (BASE_LAMBDA * 0.5 ** (stages / HALVING_STAGES)).astype(np.float32)
    return lambdas


def correction_targets(
    original: Floats,
    decoded: Floats,
    levels: Floats,
    counts: Integers,
    delay: int,
    predictor: CorrectionPredictor,
    config: ModelConfig,
) -> CorrectionTargets:
    """Return the targets of one channel of a packet.

    Args:
        original, decoded: band energies [F, BANDS] of the hops that the packet's frames correct.
        levels: `RecentLevels` of the decoded sound [F, ...].
        counts: stage counts [F].
        delay: see `timing.corrections_delay`.
    """
    span = span_frames(counts, config)
    stages = span_stages(counts, span, delay)
    predict = predictor.of(levels[span_ends(len(counts), span)], stages, span)
    targets = band_corrections(original, decoded, span)
    return CorrectionTargets(targets, correction_lambdas(stages), predict)


def dequantize_corrections(
    codes: Integers,
    counts: Integers,
    codebooks: Codebooks,
    predict: Predict,
    before: Floats | None = None,
) -> Floats:
    """Return the corrections [S, BANDS] of spans from their codes [S, N], of which each span uses
    the first `counts` [S]; `before` is the correction of the span before in the packet."""
    corrections = dequantize(codes, counts, codebooks)
    previous = np.zeros(corrections.shape[1], dtype=np.float32) if before is None else before
    for span, residual in enumerate(corrections):
        previous = limited(predict(span, previous) + residual)
        corrections[span] = previous
    return corrections


class CorrectionDecoder:
    """Decodes the corrections of one stream's channels, from the codes of its packets and from the
    decoded sound that comes with them."""

    def __init__(
        self,
        config: ModelConfig,
        codebooks: Codebooks | None,
        predictor: CorrectionPredictor,
        channels: int,
    ) -> None:
        """`codebooks` are those of the corrections; None where the model has none."""
        self._config, self._codebooks, self._predictor = config, codebooks, predictor
        self._recent = RecentLevels(channels)
        self._coded: list[ChannelCodes] = []
        self._frame = 0
        self._before: Floats = np.zeros((channels, BANDS), dtype=np.float32)

    def start(self, coded: list[ChannelCodes]) -> None:
        """Begin a packet with these codes."""
        self._coded, self._frame = (coded, 0) if self._codebooks else ([], 0)

    def take(self, energies: Floats) -> Floats:
        """Return the corrections [C, F, BANDS] of the packet's next frames, whose decoded hops have
        these band energies [C, F, BANDS]. Frames are taken in whole spans. After the packet the
        corrections stay as they are."""
        levels, frames = self._recent.of(energies), energies.shape[1]
        corrections = self._before[:, None].repeat(frames, axis=1)
        for row, channel in enumerate(self._coded):
            if self._frame < len(channel.gains):
                corrections[row] = self._decoded(channel, levels[row], self._before[row])
        self._frame += frames
        self._before = corrections[:, -1]
        return corrections

    def _decoded(self, channel: ChannelCodes, levels: Floats, before: Floats) -> Floats:
        """Return the corrections of a channel's next frames [F, BANDS], whose hops have these band
        levels."""
        assert self._codebooks is not None, "without codebooks there are no codes"
        frames, counts = len(levels), channel.counts
        span = span_frames(counts, self._config)
        assert self._frame % span == 0, "spans come whole"
        part = slice(self._frame // span, -(-(self._frame + frames) // span))
        stages = span_stages(counts, span, corrections_delay(self._config))[part]
        predict = self._predictor.of(levels[span_ends(frames, span)], stages, span)
        first = None if self._frame == 0 else before
        codes = (channel.corrections[part], channel.correction_counts[part])
        corrections = dequantize_corrections(*codes, self._codebooks, predict, first)
        return corrections.repeat(span, axis=0)[:frames]
