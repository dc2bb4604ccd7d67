"""Silences the residual of stereo where the noise of the coded principal would mask it.

A residual that is much softer than the principal comes from an angle that is not exact, or from
the noise floor of a channel. Coded, it would take bits of the principal and return as noise.
"""

from __future__ import annotations

import numpy as np

from nacli.types import Doubles, Floats

MASKED_RATIO = 1e-3
"""Energy of the residual, relative to the principal's, from which on it is coded: -30 dB."""
FLOOR = 1e-5
"""The same, relative to the principal's recent peak: in pauses, noise floors are of one level."""
PEAK_DECAY = 0.955
"""Factor per hop of the energy of the recent peak: 15 dB per second."""
HOLD_HOPS = 15
"""Hops (0.2 s) before and after an audible one in which the residual is coded, too."""
EMPHASIS = 0.95
"""Factor of the pre-emphasis: bass must not hide treble that is on one side."""


class ResidualGate:
    """Gates the residual of one stream of stereo, with its state."""

    def __init__(self, hop: int) -> None:
        self._hop = hop
        self._last: Floats = np.zeros((1, 2), dtype=np.float32)
        self._peak, self._since_audible = 0.0, HOLD_HOPS + 1
        self._gain: float | None = None

    def process(self, coded: Floats) -> Floats:
        """Return principal and residual [H * hop, 2] of a packet, with silence where the residual
        is masked, and ramps of one hop beside it."""
        gains = self._open_hops(self._energies(coded)).astype(np.float64)
        start = gains[0] if self._gain is None else self._gain
        before = np.concatenate([[start], gains[:-1]])
        self._gain = float(gains[-1])
        ramp = (np.arange(self._hop) + 0.5) / self._hop
        envelope = before[:, None] + (gains - before)[:, None] * ramp
        principal, residual = coded.T
        return np.stack([principal, residual * envelope.ravel().astype(np.float32)], axis=1)

    def _energies(self, coded: Floats) -> Doubles:
        """Return the energies [H, 2] of hops with pre-emphasis."""
        joined = np.concatenate([self._last, coded]).astype(np.float64)
        self._last = coded[-1:]
        emphasised = joined[1:] - EMPHASIS * joined[:-1]
        energies: Doubles = np.square(emphasised).reshape(-1, self._hop, 2).mean(1)
        return energies

    def _open_hops(self, energies: Doubles) -> Doubles:
        """Return whether the residual is coded in each hop [H]."""
        audible = []
        for principal, residual in energies:
            self._peak = max(float(principal), PEAK_DECAY * self._peak)
            audible.append(residual > max(MASKED_RATIO * principal, FLOOR * self._peak))
        hops, places = np.arange(len(audible)), np.flatnonzero(audible)
        places = np.concatenate([[-1 - self._since_audible], places])
        near = np.abs(hops[:, None] - places).min(1) <= HOLD_HOPS
        self._since_audible = len(audible) - 1 - int(places[-1])
        return near
