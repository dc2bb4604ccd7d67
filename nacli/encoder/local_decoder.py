"""The decoder inside the encoder: it decodes as decoders will, to find the envelope corrections.

This is analysis by synthesis: corrections bring the decoded bands to the energies of the original,
so the encoder must know the decoded bands.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from nacli.config import ModelConfig
from nacli.dsp.dc_blocker import DcBlocker
from nacli.dsp.filterbank import BANDS, BandEnergyMeter, bark_spectra
from nacli.envelope.corrections import CorrectionTargets, correction_targets
from nacli.envelope.predictor import CorrectionPredictor
from nacli.timing import corrections_delay
from nacli.types import Floats, Integers

if TYPE_CHECKING:
    from nacli.networks import Networks


class LocalDecoder:
    """Decodes one stream up to the point where corrections take effect, beside the original.

    The samples that a frame completes are several hops older than the frame, and its corrections
    belong to these samples, so nothing has to wait for later codes.
    """

    def __init__(
        self,
        config: ModelConfig,
        networks: Networks,
        predictor: CorrectionPredictor,
        channels: int,
    ) -> None:
        self._config, self._networks, self._predictor = config, networks, predictor
        self._history: Any = networks.new_history()
        self._dc_blocker = DcBlocker(channels)
        self._meter = BandEnergyMeter(channels, bark_spectra(config.hop, config.sample_rate))
        delay = 1 + corrections_delay(config)
        self._pending: Floats = np.zeros((channels, delay, BANDS), dtype=np.float32)

    def copy(self) -> LocalDecoder:
        """Return another decoder that goes on from the same place, for a candidate that may be
        dropped."""
        copied = copy(self)
        copied._history = self._history.copy()
        for name in ("_dc_blocker", "_meter"):
            setattr(copied, name, copy(getattr(self, name)))
        return copied

    def targets(
        self, energies: Floats, latents: Floats, gains: Integers, counts: Integers
    ) -> list[CorrectionTargets]:
        """Decode the next packet and return the targets of its corrections, by channel.

        Args:
            energies: band energies of the original's hops [C, F, BANDS].
            latents, gains, counts: the inputs of decoders, which are quantised latents [C, F, D],
                gain indices and stage counts [C, F].
        """
        decoded = self._networks.synthesize(latents, gains, counts, self._history)
        decoded_energies = self._meter.measure(self._dc_blocker.process(decoded))
        joined = np.concatenate([self._pending, energies], axis=1)
        original, self._pending = np.split(joined, [gains.shape[1]], axis=1)
        delay = corrections_delay(self._config)
        rows = zip(original, decoded_energies, counts, strict=True)
        return [correction_targets(*row, delay, self._predictor, self._config) for row in rows]
