"""DistillMOS, a measure of the naturalness of speech, from the package `distillmos`."""

from __future__ import annotations

import sys
import types
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from nacli.types import Floats


def has_distill_mos() -> bool:
    """Return whether the package is installed."""
    return find_spec("distillmos") is not None


@torch.no_grad()
def distill_mos(clips: list[Floats], device: str = "cpu") -> list[float]:
    """Return DistillMOS of clips [T] at `nacli.bench.metrics.SPEECH_RATE`."""
    return [float(_network(device)(torch.from_numpy(clip)[None].to(device))) for clip in clips]


@cache
def _network(device: str) -> Any:
    """Return the network. Its package imports torchaudio only to read files, so an empty module
    takes the place of one that is missing or does not fit this torch."""
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        empty = {name: types.ModuleType(name) for name in ("torchaudio", "torchaudio.transforms")}
        empty["torchaudio.transforms"].MFCC = object  # type: ignore[attr-defined]
        sys.modules.update(empty)
    import distillmos

    return distillmos.ConvTransformerSQAModel().eval().to(device)
