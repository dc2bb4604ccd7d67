"""The gains of frames: each frame is divided by its gain, which the network gets as features."""

from __future__ import annotations

import numpy as np

from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.networks.numpy_engine.layers import State
from nacli.types import Floats, Integers


class GainScale:
    """The scale of gain indices: their amplitudes, and the features (the level
    and its change) that the network gets."""

    def __init__(self, config: ModelConfig) -> None:
        self._floor, self._step = config.gain_floor_db, config.gain_step_db
        decibels = self._floor + self._step * (np.arange(GAIN_LEVELS) - 1)
        table = 10 ** (decibels / 20) if config.normalize else np.ones(GAIN_LEVELS)
        self._table = np.where(np.arange(GAIN_LEVELS) > 0, table, 0.0).astype(np.float32)

    def index(self, coefficients: Floats) -> Integers:
        """Return the gain index [...] of each frame of transform coefficients [..., hop]."""
        rms = np.sqrt(np.square(coefficients).mean(-1))
        level = (20 * np.log10(np.maximum(rms, np.float32(1e-9))) - self._floor) / self._step
        return (np.rint(level) + 1).clip(0, GAIN_LEVELS - 1).astype(np.int32)

    def amplitude(self, gains: Integers) -> Floats:
        """Return linear amplitudes [..., 1] of gains [...]. That of index 0 is exactly zero; all
        others are one where the configuration has no normalisation."""
        return self._table[gains][..., None]

    def features(self, gains: Integers, state: State) -> Floats:
        """Return the level in units of 20 dB and its change since the previous frame
        [F, n, 2] of the gains [F, n] of n channels."""
        decibels = gains[..., None].astype(np.float32) * self._step + self._floor
        level: Floats = ((decibels + 40) / 20).astype(np.float32)
        previous = state.extend(self, level, 1)[:-1]
        return np.concatenate([level, level - previous], axis=-1)
