"""The decoder inside the encoder: it hears what decoders will, and finds the corrections they need."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from nacli.config import ModelConfig
from nacli.dsp.dc_blocker import DcBlocker
from nacli.dsp.filterbank import BANDS, BandEnergyMeter, bark_spectra
from nacli.dsp.pitch_filter import PitchFilter
from nacli.envelope.corrections import CorrectionTargets, corrections_delay, want
from nacli.envelope.predictor import CorrectionPredictor, RecentLevels
from nacli.types import Floats, Integers

if TYPE_CHECKING:
    from nacli.networks import Networks


class LocalDecoder:
    """Decodes one stream up to where corrections take effect, beside the original.

    What comes out with a frame is some hops late, and the frame's corrections are for that, so nothing
    has to wait for codes that come after it.
    """

    def __init__(
        self,
        config: ModelConfig,
        networks: Networks,
        prediction: CorrectionPredictor,
        channels: int,
    ) -> None:
        self._config, self._networks, self._prediction = config, networks, prediction
        self._history: Any = networks.new_history()
        self._offset = DcBlocker(channels)
        self._harmonics = PitchFilter(channels, config.hop)
        self._levels = BandEnergyMeter(channels, bark_spectra(config.hop, config.sample_rate))
        self._recent = RecentLevels(channels)
        late = 1 + corrections_delay(config)
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
    ) -> list[CorrectionTargets]:
        """What is wanted of the corrections of a packet, by channel: energies [C, F, BANDS] of its hops,
        and the latents [C, F, D], gains and stages [C, F] that decoders get."""
        made = self._networks.synthesize(latents, gains, counts, self._history)
        decoded = self._levels.measure(self._harmonics.process(self._offset.process(made)))
        original = np.concatenate([self._waiting, energies], axis=1)
        frames = gains.shape[1]
        self._waiting = original[:, frames:]
        rows = zip(original[:, :frames], decoded, self._recent.of(decoded), counts, strict=True)
        late = corrections_delay(self._config)
        return [want(*row, late, self._prediction, self._config) for row in rows]
