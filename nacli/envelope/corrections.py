"""Envelope corrections: by how much the bands of decoded sound are to be louder or softer.

A quantiser at a low rate keeps the waveform of strong components and loses the energy of the rest;
the ear notices the missing band energies more. A packet is divided into spans of frames, and each
span has a correction of all bands. Part of it is predicted from the span before; codes carry the
rest, and only where they are worth their bits. The first span of a packet is predicted without
corrections of the packet before: packets stay decodable on their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS, band_corrections
from nacli.entropy import ChannelCodes
from nacli.envelope.predictor import CorrectionPredictor, SpanPredictor
from nacli.quantizer.rvq import Codebooks, dequantize
from nacli.types import Floats, Integers

BASE_LAMBDA, HALVING_STAGES = 0.28, 0.9
"""Rate-distortion weight of corrections, in squared error per bit: its value for frames without
stages, and the number of stages that halves it."""
LIMIT = 4.0
"""Limit of corrections to either side. No encoder comes near it; it keeps the sound of crafted
files finite."""


class CorrectionTargets(NamedTuple):
    """For the spans of a packet: the corrections that would restore the original's band energies
    [S, BANDS], their rate-distortion weights [S], and their prediction."""

    corrections: Floats
    lambdas: Floats
    predictor: SpanPredictor


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


def correction_lambdas(stages: Integers) -> Floats:
    """Return the rate-distortion weights of spans with these stage counts [S]: frames that get more
    bits for their codes get more for their corrections."""
    lambdas: Floats = (BASE_LAMBDA * 0.5 ** (stages / HALVING_STAGES)).astype(np.float32)
    return lambdas


def correction_targets(
    original: Floats,
    decoded: Floats,
    counts: Integers,
    delay: int,
    predictor: CorrectionPredictor,
    config: ModelConfig,
) -> CorrectionTargets:
    """Return the targets of one channel of a packet.

    Args:
        original, decoded: band energies [F, BANDS] of the hops that the packet's frames correct.
        counts: stage counts [F].
        delay: see `timing.corrections_delay`.
    """
    span = span_frames(counts, config)
    targets = band_corrections(original, decoded, span)
    lambdas = correction_lambdas(span_stages(counts, span, delay))
    return CorrectionTargets(targets, lambdas, predictor.of(span))


def dequantize_corrections(
    codes: Integers, counts: Integers, codebooks: Codebooks, predictor: SpanPredictor
) -> Floats:
    """Return the corrections [S, BANDS] of the spans of a packet from their codes [S, N], of which
    each span uses the first `counts` [S]."""
    corrections = dequantize(codes, counts, codebooks)
    before = predictor.mean
    for correction in corrections:
        correction += predictor(before)
        before = _limited(correction)
    return corrections


def _limited(correction: Floats) -> Floats:
    """Limit a correction in place. np.clip takes several times longer on few values."""
    return np.minimum(np.maximum(correction, -LIMIT, out=correction), LIMIT, out=correction)


class CorrectionDecoder:
    """Decodes the corrections of one stream's channels, packet by packet, and gives them frame by
    frame."""

    def __init__(
        self,
        config: ModelConfig,
        codebooks: Codebooks | None,
        predictor: CorrectionPredictor,
        channels: int,
    ) -> None:
        """`codebooks` are those of the corrections; None where the model has none."""
        self._config, self._codebooks, self._predictor = config, codebooks, predictor
        self._coming: Floats = np.zeros((channels, 0, BANDS), dtype=np.float32)
        self._last: Floats = np.zeros((channels, 1, BANDS), dtype=np.float32)

    def start(self, coded: list[ChannelCodes]) -> None:
        """Begin a packet with these codes by channel."""
        if self._codebooks:
            self._coming = np.stack([self._decoded(channel, self._codebooks) for channel in coded])

    def take(self, frames: int) -> Floats:
        """Return the corrections [C, F, BANDS] of the next `frames` frames. After a packet the
        corrections stay as they are."""
        missing = max(0, frames - self._coming.shape[1])
        corrections, self._coming = np.split(self._coming, [frames], axis=1)
        if frames > missing:
            self._last = corrections[:, -1:]
        return np.concatenate([corrections, self._last.repeat(missing, axis=1)], axis=1)

    def _decoded(self, channel: ChannelCodes, codebooks: Codebooks) -> Floats:
        """Return the corrections of a channel's frames [F, BANDS]."""
        span = span_frames(channel.counts, self._config)
        codes = (channel.corrections, channel.correction_counts)
        corrections = dequantize_corrections(*codes, codebooks, self._predictor.of(span))
        return corrections.repeat(span, axis=0)[: len(channel.counts)]
