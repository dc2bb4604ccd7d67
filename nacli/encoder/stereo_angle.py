"""The angle of a packet's stereo rotation: that of the principal component, or a simpler one."""

from __future__ import annotations

import math

import numpy as np

from nacli.config import ANGLE_STEPS
from nacli.dsp.stereo_rotation import EQUAL, LEFT, RIGHT, nearest_turn
from nacli.types import Complex, Doubles, Floats

TOLERANCE = 1.05
"""Energy of the residual at a simpler angle, relative to the least: 0.2 dB are not worth a change
of the angle, nor noise that a channel would take over from the other."""
EQUAL_TOLERANCE = 2.0
"""The same for the sum and the difference of the channels, 3 dB: at high frequencies, where a band
is hardly more than its level, they keep the width of diffuse sound, and other angles do not."""
NEGLIGIBLE = 1e-4
"""Energy of the residual, relative to that of the sound, that counts as none: -40 dB, which is far
below the noise of the coding."""


class AngleChooser:
    """Chooses the angles of one stream of stereo, packet by packet."""

    def __init__(self, silence: float) -> None:
        """`silence` is the energy up to which a packet keeps the angle of the packet before."""
        self._silence = silence
        self._last = EQUAL

    def choose(self, covariance: Doubles) -> int:
        """Return the angle, in steps from 0 to ANGLE_STEPS - 1, of a packet whose left and right
        have this covariance [2, 2].

        Of several angles with nearly the least residual, the first of these is taken: left and
        right apart, so that sounds without a relation do not mix their noise; both equal; that of
        the packet before; that of the principal component.
        """
        left, right, common = covariance[0, 0], covariance[1, 1], covariance[0, 1]
        if left + right <= self._silence:
            return self._last

        def residual(radians: float) -> float:
            cosine, sine = math.cos(radians), math.sin(radians)
            return float(sine**2 * left - 2 * sine * cosine * common + cosine**2 * right)

        step = 2 * math.pi / ANGLE_STEPS
        best = math.atan2(2 * common, left - right) / 2
        principal = round(best / step)
        least, none = max(0.0, residual(best)), NEGLIGIBLE * (left + right)
        simple = (
            (LEFT if left >= right else RIGHT, TOLERANCE),
            (EQUAL, EQUAL_TOLERANCE),
            (self._last, TOLERANCE),
        )
        fitting = (a for a, most in simple if residual(a * step) <= most * least + none)
        found = next(fitting, principal)
        self._last = (self._last + nearest_turn(found - self._last)) % ANGLE_STEPS
        return self._last


def covariance(values: Floats | Complex) -> Doubles:
    """Return the mean products [2, 2] of left and right [T, 2]: samples, or bins of spectra."""
    wide = values.astype(np.result_type(values, np.float64))
    products: Doubles = (wide.conj().T @ wide).real / max(1, len(wide))
    return products
