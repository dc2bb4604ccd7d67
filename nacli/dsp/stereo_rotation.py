"""Rotation of stereo by an angle for each hop: two channels to principal and residual, and back.

With the angle of the principal component (Jolliffe, 2002), sound that is in one channel alone,
panned, inverted or equal in both channels leaves no residual. The noise of the coded principal
returns in both channels only as the sound does, so a silent channel stays silent.
"""

from __future__ import annotations

import numpy as np

from nacli.config import ANGLE_STEPS
from nacli.types import Doubles, Floats, Integers

LEFT, EQUAL, RIGHT = 0, ANGLE_STEPS // 8, ANGLE_STEPS // 4
"""Angles of sound in the left channel alone, equal in both, and in the right channel alone."""


def nearest_turn(change: int) -> int:
    """Return the change of an angle, in steps, that is equal to `change` modulo half a turn and
    nearest to 0. Half a turn inverts principal and residual, so both angles fit alike."""
    half = ANGLE_STEPS // 2
    return (change + half // 2) % half - half // 2


class StereoRotation:
    """Rotates one stream of stereo hop by hop, or restores it; the state is the last angle.

    Within a hop the angle goes from that of the hop before to its own, the shorter way round. So
    principal and residual have no steps, and the inverse is exact at every sample. They are scaled
    such that sound within +-1 stays within +-1, and sound that is equal in both channels, or in one
    alone, keeps its level.
    """

    def __init__(self, hop: int) -> None:
        self._hop = hop
        self._before: int | None = None

    def rotate(self, pcm: Floats, angles: Integers) -> Floats:
        """Return principal and residual [H * hop, 2] of left and right [H * hop, 2], whose hops
        have these angles [H] in steps."""
        cosine, sine = self._directions(angles)
        scale = 1 / (np.abs(cosine) + np.abs(sine))
        return _reflect(pcm, cosine * scale, sine * scale)

    def restore(self, coded: Floats, angles: Integers) -> Floats:
        """Return left and right [H * hop, 2] of principal and residual [H * hop, 2]: the inverse of
        `rotate`."""
        cosine, sine = self._directions(angles)
        scale = np.abs(cosine) + np.abs(sine)
        return _reflect(coded, cosine * scale, sine * scale)

    def _directions(self, angles: Integers) -> tuple[Doubles, Doubles]:
        """Return cosine and sine of the angle of each sample [H * hop]."""
        if self._before is None and len(angles):
            self._before = int(angles[0])
        before = np.concatenate([[self._before or 0], angles[:-1]])
        if len(angles):
            self._before = int(angles[-1])
        half = ANGLE_STEPS // 2
        change = (angles - before + half) % ANGLE_STEPS - half
        cosine, sine = (part[:, None].repeat(self._hop, axis=1) for part in _direction(angles))
        moves = change != 0  # few hops do, and cosines take time
        if moves.any():
            place = (np.arange(self._hop) + 0.5) / self._hop
            between = before[moves, None] + change[moves, None] * place
            cosine[moves], sine[moves] = _direction(between)
        return cosine.ravel(), sine.ravel()


def _direction(angles: Integers | Doubles) -> tuple[Doubles, Doubles]:
    """Return cosine and sine of angles [...] in steps; exactly 0 where they are 0."""
    radians = angles * (2 * np.pi / ANGLE_STEPS)
    cosine, sine = np.cos(radians), np.sin(radians)
    cosine[np.abs(cosine) < 1e-12], sine[np.abs(sine) < 1e-12] = 0, 0
    return cosine, sine


def _reflect(pair: Floats, cosine: Doubles, sine: Doubles) -> Floats:
    """Return the products [T, 2] of the pair [T, 2] with the matrix ((cosine, sine), (sine,
    -cosine)) of each sample. The residual has this sign, so that the matrix is its own inverse."""
    first, second = pair.T
    cosine, sine = cosine.astype(np.float32), sine.astype(np.float32)
    return np.stack([cosine * first + sine * second, sine * first - cosine * second], axis=1)
