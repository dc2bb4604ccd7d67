"""The decoder inside the encoder: it hears what decoders will, and finds the trims they need."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nacli.config import ModelConfig
from nacli.harmonics import HarmonicFilter
from nacli.levels import BANDS, LevelMeter, Spectra, wanted_trims
from nacli.offset import OffsetFilter

if TYPE_CHECKING:
    from nacli.model import Networks

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


class LocalDecoder:
    """Decodes one stream up to where trims take effect, beside the original.

    What comes out with a frame is some hops late, and the frame's trims are for that, so nothing
    has to wait for codes that come after it.
    """

    def __init__(self, config: ModelConfig, networks: Networks, channels: int) -> None:
        self._networks = networks
        self._history: Any = networks.new_history()
        self._offset = OffsetFilter(channels)
        self._harmonics = HarmonicFilter(channels, config.hop)
        self._levels = LevelMeter(channels, Spectra(config.hop, config.sample_rate))
        late = 1 + config.lookahead + HarmonicFilter.DELAY
        self._waiting: Floats = np.zeros((channels, late, BANDS), dtype=np.float32)

    def copy(self) -> LocalDecoder:
        """Another that goes on from the same place."""
        copied = copy(self)
        for name in ("_history", "_offset", "_harmonics", "_levels"):
            part = getattr(self, name)
            setattr(copied, name, part.copy() if name == "_history" else copy(part))
        return copied

    def wanted(
        self,
        energies: Floats,
        latents: Floats,
        gains: Integers,
        counts: Integers,
        spans: list[int],
    ) -> list[Floats]:
        """Trims [S, BANDS] for the spans of a packet, by channel, of so many frames each: energies
        [C, F, BANDS] of its hops, and the latents [C, F, D], gains and stages [C, F] that decoders
        get."""
        made = self._networks.synthesize(latents, gains, counts, self._history)
        heard = self._harmonics.process(self._offset.process(made))
        original = np.concatenate([self._waiting, energies], axis=1)
        frames = gains.shape[1]
        self._waiting = original[:, frames:]
        rows = zip(original[:, :frames], self._levels.measure(heard), spans, strict=True)
        return [wanted_trims(*row) for row in rows]
