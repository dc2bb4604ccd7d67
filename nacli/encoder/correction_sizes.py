"""What the envelope corrections of a packet are worth, and what they take, at an allocation level.

The rate loop divides the bits of a packet between codes and corrections before it has decoded
anything, so it needs to know how many bits corrections take at each level. With fewer stages they
take fewer as well, because a bit is worth more there as a part of one more stage.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.checkpoint import Model
from nacli.envelope.corrections import correction_lambdas, span_frames, span_stages
from nacli.timing import corrections_delay
from nacli.types import Floats, Integers

FEW_STAGES_LEVEL, MANY_STAGES_LEVEL = 16, 32
"""Allocation levels (two and four stages of the loudest frames) between which the weight falls."""
FEW_STAGES_WEIGHT = 10.0
"""The weight at low levels. On validation speech, 3 to 100 are alike by PESQ; a larger weight gives
more DistillMOS and less ESTOI."""
HALF_LAMBDA, STEEPNESS = 0.085, 1.5
"""The rate-distortion weight of a span at which it takes half of its most bits, and the exponent
with which its bits fall; measured on validation speech at one to six stages."""


def correction_weight(level: int) -> float:
    """Return the usual factor of the rate-distortion weights of a packet's corrections: it is 1
    where there are many stages, and grows as the level falls, since stages are scarce there. It has
    no jumps."""
    share = (MANY_STAGES_LEVEL - level) / (MANY_STAGES_LEVEL - FEW_STAGES_LEVEL)
    return float(FEW_STAGES_WEIGHT ** min(max(share, 0.0), 1.0))


class CorrectionSizes:
    """Predicts the bits of corrections of one model."""

    def __init__(self, model: Model) -> None:
        self._config, self._corrects = model.config, bool(model.codebooks.corrections)
        self._least, self._most = model.entropy.corrections.extreme_bits()

    def bits(self, counts: Integers, level: int) -> float:
        """Return the bits that corrections of the usual weight take on average in a packet with
        stage counts [C, F] at an allocation level; 0 where the model has no corrections."""
        return sum(self._channel_bits(row, level) for row in counts) if self._corrects else 0.0

    def _channel_bits(self, counts: Integers, level: int) -> float:
        span = span_frames(counts, self._config)
        stages = span_stages(counts, span, corrections_delay(self._config))
        shares = _shares(level, self._config.stages)[stages[stages > 0]]  # others have no codes
        return len(stages) * self._least + (self._most - self._least) * float(shares.sum())


@cache
def _shares(level: int, stages: int) -> Floats:
    """Return the shares of their most bits that spans with 0 to `stages` stages take
    [stages + 1]."""
    lambdas = correction_weight(level) * correction_lambdas(np.arange(stages + 1, dtype=np.int32))
    shares: NDArray[Any] = 1 / (1 + (lambdas / HALF_LAMBDA) ** STEEPNESS)
    return shares
