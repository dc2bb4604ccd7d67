"""Training data of envelope corrections: spans of decoded segments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nacli.config import ModelConfig
from nacli.dsp.filterbank import band_corrections
from nacli.envelope.corrections import correction_lambdas, span_ends, span_frames, span_stages
from nacli.envelope.predictor import with_stages
from training.corpus.decoded_segments import FRAMES, DecodedSegment


@dataclass(frozen=True)
class CorrectionClips:
    """Clips with spans of one length.

    `inputs` [N, S, I] are the inputs of the predictor, `targets` [N, S, BANDS] the corrections that
    restore the original's band energies, `lambdas` [N, S] their rate-distortion weights, and
    `audible` [N, S] says whether a span has codes.
    """

    inputs: Tensor
    targets: Tensor
    lambdas: Tensor
    audible: Tensor

    def take(self, rows: Tensor | slice) -> CorrectionClips:
        """Return some of the clips."""
        return CorrectionClips(
            self.inputs[rows], self.targets[rows], self.lambdas[rows], self.audible[rows]
        )


class SpanRows(NamedTuple):
    """Audible spans of all clips: inputs [M, I], the corrections before and the targets [M, BANDS],
    and the weight of each in the loss [M]."""

    inputs: Tensor
    before: Tensor
    targets: Tensor
    weights: Tensor

    def take(self, rows: Tensor) -> SpanRows:
        """Return some of the spans."""
        return SpanRows(*(column[rows] for column in self))


def clips_by_span(segments: Iterable[DecodedSegment], config: ModelConfig) -> list[CorrectionClips]:
    """Return the segments with long spans and those with short spans, as clips."""
    rows: dict[int, list[tuple[np.ndarray, ...]]] = {}
    for segment in segments:
        span = span_frames(segment.counts, config)
        targets = band_corrections(segment.original_energies, segment.decoded_energies, span)
        stages = span_stages(segment.counts, span, 0)
        inputs = with_stages(segment.levels[span_ends(FRAMES, span)], stages, span)
        columns = (inputs, targets, correction_lambdas(stages), stages > 0)
        rows.setdefault(span, []).append(columns)
    return [
        CorrectionClips(
            *(torch.from_numpy(np.stack(column)) for column in zip(*clips, strict=True))
        )
        for clips in rows.values()
    ]


def corrections_before(corrections: Tensor) -> Tensor:
    """Return the corrections [N, S, BANDS] of the span before each span; zero before the first."""
    return torch.nn.functional.pad(corrections, (0, 0, 1, 0))[:, :-1]
