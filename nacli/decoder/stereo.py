"""Stereo: decoded principal and residual back to left and right."""

from __future__ import annotations

import numpy as np

from nacli.decoder.synthesis import CodedSound
from nacli.dsp.high_band import RATIO
from nacli.dsp.stereo_rotation import EQUAL, StereoRotation
from nacli.types import Floats, Integers


class StereoRestorer:
    """Restores one stream of stereo, of which angles arrive before samples.

    The angle of a packet belongs to the hops with the numbers of its frames. Where packets are
    missing, the last angle holds.
    """

    def __init__(self, bands: int, hop: int, delay: int) -> None:
        """Start a stream.

        Args:
            bands: 1 for the coded signal alone, 2 with a high band.
            hop: hop of the coded signal in samples.
            delay: hops by which the samples that a frame completes are older than its own.
        """
        self._hop, self._delay = hop, delay
        self._rotations = [StereoRotation(ratio * hop) for ratio in (1, RATIO)[:bands]]
        self._angles: Integers | None = None

    def add(self, frames: int, angles: tuple[int, ...] = ()) -> None:
        """Take the angles of the next frames, by band; none for frames that are missing."""
        if self._angles is None:
            first = np.array(angles or [EQUAL] * len(self._rotations), dtype=np.int32)
            self._angles = first[:, None].repeat(self._delay, axis=1)
        own = np.array(angles, dtype=np.int32)[:, None] if angles else self._angles[:, -1:]
        self._angles = np.concatenate([self._angles, own.repeat(frames, axis=1)], axis=1)

    def process(self, sound: CodedSound) -> CodedSound:
        """Return left and right of the next hops."""
        hops = len(sound.pcm) // self._hop
        if self._angles is None:
            self.add(0)
        assert self._angles is not None, "added just now"
        missing = max(0, hops + 1 - self._angles.shape[1])  # one stays, to be held
        self._angles = np.pad(self._angles, ((0, 0), (0, missing)), mode="edge")
        own, self._angles = self._angles[:, :hops], self._angles[:, hops:]
        bands: list[Floats] = [
            rotation.restore(pcm, angles)
            for rotation, pcm, angles in zip(self._rotations, sound, own, strict=False)
            if pcm is not None
        ]
        return CodedSound(bands[0], bands[1] if len(bands) > 1 else None)
