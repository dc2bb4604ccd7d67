"""Training data of envelope corrections: spans of decoded segments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nacli.config import ModelConfig
from nacli.dsp.filterbank import band_corrections
from nacli.envelope.corrections import correction_lambdas, span_frames, span_stages
from training.corpus.decoded_segments import DecodedSegment


@dataclass(frozen=True)
class CorrectionClips:
    """Clips with spans of `span` frames.

    `targets` [N, S, BANDS] are the corrections that restore the original's band energies, `lambdas`
    [N, S] their rate-distortion weights, and `audible` [N, S] says whether a span has codes.
    """

    span: int
    targets: Tensor
    lambdas: Tensor
    audible: Tensor

    def take(self, rows: Tensor | slice) -> CorrectionClips:
        """Return some of the clips."""
        names = ("targets", "lambdas", "audible")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def clips_by_span(segments: Iterable[DecodedSegment], config: ModelConfig) -> list[CorrectionClips]:
    """Return the segments with long spans and those with short spans, as clips."""
    rows: dict[int, list[tuple[np.ndarray, ...]]] = {}
    for segment in segments:
        span = span_frames(segment.counts, config)
        targets = band_corrections(segment.original_energies, segment.decoded_energies, span)
        stages = span_stages(segment.counts, span, 0)
        rows.setdefault(span, []).append((targets, correction_lambdas(stages), stages > 0))
    return [
        CorrectionClips(
            span, *(torch.from_numpy(np.stack(column)) for column in zip(*clips, strict=True))
        )
        for span, clips in rows.items()
    ]
