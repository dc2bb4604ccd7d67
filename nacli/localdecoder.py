"""The decoder inside the encoder: it hears what decoders will, and finds the trims they need."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nacli.config import ModelConfig
from nacli.harmonics import HarmonicFilter
from nacli.levels import BANDS, LevelMeter, bark_spectra
from nacli.offset import OffsetFilter
from nacli.prediction import Prediction, RecentLevels
from nacli.trims import Wanted, lateness, want

if TYPE_CHECKING:
    from nacli.networks import Networks

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


class LocalDecoder:
    """Decodes one stream up to where trims take effect, beside the original.

    What comes out with a frame is some hops late, and the frame's trims are for that, so nothing
    has to wait for codes that come after it.
    """

    def __init__(
        self, config: ModelConfig, networks: Networks, prediction: Prediction, channels: int
    ) -> None:
        self._config, self._networks, self._prediction = config, networks, prediction
        self._history: Any = networks.new_history()
        self._offset = OffsetFilter(channels)
        self._harmonics = HarmonicFilter(channels, config.hop)
        self._levels = LevelMeter(channels, bark_spectra(config.hop, config.sample_rate))
        self._recent = RecentLevels(channels)
        late = 1 + lateness(config)
        self._waiting: Floats = np.zeros((channels, late, BANDS), dtype=np.float32)

    def copy(self) -> LocalDecoder:
        """Another that goes on from the same place."""
        copied = copy(self)
        for name in ("_history", "_offset", "_harmonics", "_levels", "_recent"):
            part = getattr(self, name)
            setattr(copied, name, part.copy() if name == "_history" else copy(part))
        return copied

    def wanted(
        self, energies: Floats, latents: Floats, gains: Integers, counts: Integers
    ) -> list[Wanted]:
        """What is wanted of the trims of a packet, by channel: energies [C, F, BANDS] of its hops,
        and the latents [C, F, D], gains and stages [C, F] that decoders get."""
        made = self._networks.synthesize(latents, gains, counts, self._history)
        decoded = self._levels.measure(self._harmonics.process(self._offset.process(made)))
        original = np.concatenate([self._waiting, energies], axis=1)
        frames = gains.shape[1]
        self._waiting = original[:, frames:]
        rows = zip(original[:, :frames], decoded, self._recent.of(decoded), counts, strict=True)
        late = lateness(self._config)
        return [want(*row, late, self._prediction, self._config) for row in rows]
