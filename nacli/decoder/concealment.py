"""Concealment: inputs of the Decoder network in place of missing codes, fading to silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nacli.types import Floats, Integers

FADE_FRAMES = 12
"""Frames (0.16 s) after which the concealed sound is silent."""
FADE_STEPS = 2
"""Gain steps (1.5 dB each) by which each concealed frame is softer than the one before."""


@dataclass(frozen=True)
class FrameInputs:
    """Inputs of the Decoder network: latents [C, F, D], gain indices and stage counts [C, F]."""

    latents: Floats
    gains: Integers
    counts: Integers

    @property
    def last(self) -> FrameInputs:
        """The last frame alone."""
        return FrameInputs(self.latents[:, -1:], self.gains[:, -1:], self.counts[:, -1:])

    @classmethod
    def silence(cls, channels: int, frames: int, dim: int) -> FrameInputs:
        """Return frames of silence with `dim` latents."""
        gains = np.zeros((channels, frames), dtype=np.int32)
        return cls(np.zeros((channels, frames, dim), dtype=np.float32), gains, gains)


def fade(last: FrameInputs, frames: int, lookahead: int) -> FrameInputs:
    """Return inputs for the first of `frames` missing frames, at most FADE_FRAMES: the last good
    frame, softer from frame to frame.

    After a whole fade the network is reset and only silence follows, so the last frames, at which
    it still looks ahead, are silent.
    """
    fading = min(frames, FADE_FRAMES)
    steps = FADE_STEPS * np.arange(1, fading + 1)
    gains = np.maximum(last.gains - steps, 0).astype(np.int32)
    if fading == FADE_FRAMES:
        gains[:, -1 - lookahead :] = 0
    counts = np.where(gains > 0, last.counts, 0).astype(np.int32)
    latents = np.where(counts[..., None] > 0, last.latents, 0).astype(np.float32)
    return FrameInputs(latents, gains, counts)
