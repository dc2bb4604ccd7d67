"""Resample a stream of pcm."""

from __future__ import annotations

import numpy as np
import soxr

from nacli.types import Pcm


class Resampler:
    """Converts a stream of pcm from one sample rate to another (soxr, high quality).

    The samples do not depend on how the input is cut into blocks. Input and output start at the
    same time, since the delay of the filter is removed; the output is `target / source` times as
    long, rounded. Some of it comes only with `flush`. Equal rates pass through.
    """

    def __init__(self, source: int, target: int, channels: int) -> None:
        self._channels = channels
        self._stream = None
        if source != target:
            self._stream = soxr.ResampleStream(
                source, target, channels, dtype="float32", quality="HQ"
            )

    def process(self, pcm: Pcm) -> Pcm:
        """Take pcm [T, C] at the source rate. Return the samples that are ready at the target
        rate."""
        return pcm if self._stream is None else self._resample(pcm, last=False)

    def flush(self) -> Pcm:
        """Return the remaining samples. The stream ends here."""
        return self._resample(np.zeros((0, self._channels), np.float32), last=True)

    def _resample(self, pcm: Pcm, last: bool) -> Pcm:
        if self._stream is None:
            return pcm
        resampled: Pcm = self._stream.resample_chunk(np.ascontiguousarray(pcm), last=last)
        return resampled
