"""Gains: the level of each frame, by which it is divided, and what the network knows of it."""

from __future__ import annotations

import numpy as np

from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.networks.numpy_engine.layers import State
from nacli.types import Floats, Integers


class GainScale:
    """Gain indices of one channel to amplitudes and to the features that tell the network the
    level's course."""

    def __init__(self, config: ModelConfig) -> None:
        self._floor, self._step = config.gain_floor_db, config.gain_step_db
        decibels = self._floor + self._step * (np.arange(GAIN_LEVELS) - 1)
        table = 10 ** (decibels / 20) if config.normalize else np.ones(GAIN_LEVELS)
        self._table = np.where(np.arange(GAIN_LEVELS) > 0, table, 0.0).astype(np.float32)

    def index(self, coefficients: Floats) -> Integers:
        """Gain index [F] of each frame of transform coefficients [F, hop]."""
        rms = np.sqrt(np.square(coefficients).mean(-1))
        level = (20 * np.log10(np.maximum(rms, np.float32(1e-9))) - self._floor) / self._step
        return (np.rint(level) + 1).clip(0, GAIN_LEVELS - 1).astype(np.int32)

    def amplitude(self, gains: Integers) -> Floats:
        """Linear amplitude [F, 1]; index 0 is exactly zero, and all others are one where the
        configuration wants no normalisation."""
        return self._table[gains][:, None]

    def features(self, gains: Integers, state: State) -> Floats:
        """Level, in units of 20 dB, and its change since the frame before [F, 2]."""
        decibels = gains[:, None].astype(np.float32) * self._step + self._floor
        level: Floats = ((decibels + 40) / 20).astype(np.float32)
        before = state.extend(self, level, 1)[:-1]
        return np.concatenate([level, level - before], axis=1)
