"""Sound before the adaptive filter, with all that the filter and the Decoder take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from nacli.types import Floats


class Decoded(NamedTuple):
    """A clip of F hops: the original samples [F * HOP], and what the filter gets: samples, the
    Decoder's features [F, width], stage counts [F], and lags and strengths [2 F, 2] of
    `measure_periods`. What the sound before the filter is made of: latents [F, D] and gain indices
    [F] of the frames that complete the hops, and their envelope corrections [F, BANDS]."""

    pcm: NDArray[np.int16]
    decoded: NDArray[np.float16]
    features: NDArray[np.float16]
    counts: NDArray[np.uint8]
    lags: NDArray[np.int16]
    likeness: NDArray[np.float16]  # the strengths, by their name in stored files
    latents: NDArray[np.float16]
    gains: NDArray[np.uint8]
    corrections: NDArray[np.float16]

    @property
    def original(self) -> Floats:
        """The original samples within +-1."""
        return self.pcm.astype(np.float32) / np.float32(32767)


def stored_clip(stored: Mapping[str, NDArray[Any]], prefix: str = "") -> Decoded:
    """Return the fields with this prefix of stored arrays. Raises `click.ClickException` where some
    are missing."""
    names = [prefix + field for field in Decoded._fields]
    if missing := [name for name in names if name not in stored]:
        raise click.ClickException(f"decoded sound without {missing[0]}: make it anew")
    return Decoded(*(stored[name] for name in names))


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to a temporary file and rename it: an interruption leaves no damaged
    file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(partial, path)
