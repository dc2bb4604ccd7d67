"""Training data of the post-filter: magnitudes of decoded segments with corrections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacli.checkpoint import Model
from nacli.dsp.filterbank import BANDS, Spectra
from nacli.encoder.correction_search import search_corrections
from nacli.envelope.corrections import (
    correction_targets,
    dequantize_corrections,
    span_frames,
)
from nacli.envelope.post_filter import INSIDE, neighbour_levels, per_spectrum, smooth, with_counts
from training.corpus.decoded_segments import DecodedSegment


@dataclass(frozen=True)
class GainExamples:
    """Inputs of the network [N, I], and the magnitudes [N, bins] of original and decoded sound,
    both divided by the level of the original."""

    inputs: Tensor
    original: Tensor
    decoded: Tensor

    def take(self, rows: Tensor | slice) -> GainExamples:
        """Return some of the examples in float32."""
        return GainExamples(*(x[rows].float() for x in (self.inputs, self.original, self.decoded)))


def gain_examples(
    model: Model, spectra: Spectra, segments: Iterable[DecodedSegment]
) -> GainExamples:
    """Return the examples of all segments."""
    rows = [_segment_examples(model, spectra, segment) for segment in segments]
    return GainExamples(*(torch.cat(column) for column in zip(*rows, strict=True)))


def _segment_examples(
    model: Model, spectra: Spectra, segment: DecodedSegment
) -> tuple[Tensor, ...]:
    """Return the examples of one segment, in half precision to save memory."""
    level = max(1e-3, float(np.square(segment.original).mean()) ** 0.5)
    first, second = spectra.analyze(segment.original), spectra.analyze(segment.decoded)
    stages, corrections = (
        per_spectrum(segment.counts)[INSIDE],
        per_spectrum(_corrections(model, segment)),
    )
    inputs = with_counts(neighbour_levels(spectra.energies(second), corrections), stages)
    changes = np.exp(smooth(corrections)) @ spectra.band_weights
    pair = (np.abs(first[INSIDE]), np.abs(second[INSIDE]) * changes)
    return tuple(torch.from_numpy(x).half() for x in (inputs, *(x / level for x in pair)))


def _corrections(model: Model, segment: DecodedSegment) -> NDArray[np.float32]:
    """Return the corrections of each hop [F, BANDS] as encoders choose them."""
    config, codebooks, frames = model.config, model.codebooks.corrections, len(segment.counts)
    if codebooks is None:
        return np.zeros((frames, BANDS), dtype=np.float32)
    pair = (segment.original_energies, segment.decoded_energies)
    targets = correction_targets(*pair, segment.levels, segment.counts, 0, model.predictor, config)
    scales = np.ones(1, np.float32)
    choices = search_corrections(targets, codebooks, model.entropy.corrections, scales)
    codes, counts = choices.codes[0], choices.counts[0]
    corrections = dequantize_corrections(codes, counts, codebooks, targets.predict)
    return corrections.repeat(span_frames(segment.counts, config), axis=0)[:frames]
