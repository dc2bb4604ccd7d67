"""Stereo: left and right to principal and residual, packet by packet."""

from __future__ import annotations

import numpy as np

from nacli.dsp.high_band import RATIO
from nacli.dsp.high_band_analysis import SILENCE_ENERGY, HighBandAnalyzer
from nacli.dsp.stereo_rotation import StereoRotation
from nacli.encoder.residual_gate import EMPHASIS, MASKED_RATIO, ResidualGate
from nacli.encoder.stereo_angle import AngleChooser, covariance
from nacli.types import Floats

SILENCE = 1e-10
"""Mean square, after pre-emphasis, up to which a packet counts as silent."""
NOISE_FLOOR = SILENCE_ENERGY / 20
"""The same for the mean energy of a bin of the high band: a few hops of such a packet may have
sound."""


class StereoAnalyzer:
    """Rotates one stream of stereo. The coded signal and the high band have angles of their own:
    cymbals are often elsewhere than voices."""

    def __init__(self, hop: int) -> None:
        self._hop = hop
        self._choosers = AngleChooser(SILENCE), AngleChooser(NOISE_FLOOR)
        self._rotations = StereoRotation(hop), StereoRotation(RATIO * hop)
        self._gate = ResidualGate(hop)

    def rotate(self, pcm: Floats) -> tuple[Floats, tuple[int]]:
        """Return principal and residual [T, 2] of the samples [T, 2] of a packet at the coded rate,
        and their angle."""
        emphasised = pcm[1:] - np.float32(EMPHASIS) * pcm[:-1]
        angle = self._choosers[0].choose(covariance(emphasised - emphasised.mean(0)))
        coded = self._rotations[0].rotate(pcm, np.full(len(pcm) // self._hop, angle))
        return self._gate.process(coded), (angle,)

    def high_band_energies(
        self, analyzer: HighBandAnalyzer, frames: int
    ) -> tuple[Floats, tuple[int]]:
        """Return the energies [2, F, BANDS] of principal and residual of the high band in the next
        hops, and their angle. Bands of the residual that the principal masks are silent."""
        pcm = analyzer.samples(frames)
        angle = self._choosers[1].choose(covariance(analyzer.bins(pcm).reshape(-1, 2)))
        rotated = self._rotations[1].rotate(pcm, np.full(frames, angle))
        energies = analyzer.measure(rotated)
        principal, residual = energies.mean(1)
        energies[1, :, residual <= MASKED_RATIO * principal] = 0
        return energies, (angle,)
