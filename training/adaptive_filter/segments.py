"""Random batches of the cache of decoded segments."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor

from nacli.adaptive_filter.sizes import HOP
from training.adaptive_filter.adaptive_filter import FilterInputs
from training.adaptive_filter.decoded import Decoded, stored_clip
from training.adaptive_filter.decoder_chain import DecoderInputs
from training.adaptive_filter.periods import delay_periods

SHARES = {"speech": 0.8, "music": 0.2}
"""Share of each kind in the segments that are drawn. A file's name starts with its kind."""
RATES = (HOP, HOP, 1, 1, 2, 2, 1, 1, 1)
"""Values of a frame in each field of `Decoded`."""


class Batch(NamedTuple):
    """Original samples [B, F * HOP], what the filter takes of them, and what the Decoder takes of
    these hops and of those around them."""

    pcm: Tensor
    inputs: FilterInputs
    decoder_inputs: DecoderInputs


class SegmentSampler:
    """Draws cuts of `frames` frames from the files that a cache has, for the Decoder with `before`
    and `after` frames around them."""

    def __init__(
        self, folder: Path, frames: int, seed: int, before: int = 0, after: int = 0
    ) -> None:
        self._folder, self._frames, self._before, self._after = folder, frames, before, after
        self._random = np.random.default_rng(seed)
        self._files: dict[str, Decoded] = {}
        self.refresh()

    def refresh(self) -> int:
        """Read the files that have been added to the cache; return the number of segments."""
        for path in sorted(self._folder.glob("*.npz")):
            if path.stem not in self._files:
                with np.load(path) as stored:
                    self._files[path.stem] = stored_clip(stored)
        self._rows = [(name, i) for name, file in self._files.items() for i in range(len(file.pcm))]
        if not self._rows:
            raise click.ClickException(f"{self._folder} has no files of scripts/cache_filter.py")
        kinds = [name.partition("-")[0] for name, _ in self._rows]
        counts = Counter(kinds)
        weights = np.array([SHARES[kind] / counts[kind] for kind in kinds])
        self._weights = weights / weights.sum()
        return len(self._rows)

    def batch(self, size: int) -> Batch:
        """Draw a batch of `size` cuts."""
        chosen = self._random.choice(len(self._rows), size, p=self._weights)
        columns = zip(*(self._cut(*self._rows[i]) for i in chosen), strict=True)
        whole = [torch.from_numpy(np.stack(column)) for column in columns]
        start, end = self._before, self._before + self._frames
        inside = (x[:, start * n : end * n] for x, n in zip(whole, RATES, strict=True))
        pcm, decoded, features, counts, lags, strengths, *_ = inside
        delayed = delay_periods(lags.long(), strengths.float())
        inputs = FilterInputs(decoded.float(), features.float(), counts.long(), *delayed)
        around = DecoderInputs.of(dict(zip(Decoded._fields, whole, strict=True)))
        return Batch(pcm.float() / 32767, inputs, around)

    def _cut(self, name: str, index: int) -> list[np.ndarray]:
        file, frames = self._files[name], self._before + self._frames + self._after
        start = int(self._random.integers(file.counts.shape[1] - frames + 1))
        fields: list[np.ndarray] = [getattr(file, name) for name in Decoded._fields]
        return [
            values[index, start * rate : (start + frames) * rate]
            for values, rate in zip(fields, RATES, strict=True)
        ]
