"""How fast which parameter learns when."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer

from training.codec import Codec

CAREFUL = {
    "up_samples.steps.": 1.0,  # interpolation, which starts at random
    "down_": 0.05,
    "up_": 0.05,
    "features.": 0.05,
    "subframe.": 0.05,
    "pair.": 0.05,
    "project_": 0.2,
}
"""Parts that start as the exact transform, where the noise of full-size first steps would leak from
loud bands into quiet ones: they move at these fractions of the learning rate. The first that fits a
parameter's name counts."""
WARMUP = 200
"""Steps of linear warm-up."""


def parameter_groups(codec: Codec, encoder_rate: float) -> list[dict[str, Any]]:
    """One group per parameter; `scale` multiplies the scheduled learning rate."""
    groups = []
    for name, parameter in codec.named_parameters():
        scale = encoder_rate if name.startswith("encoder") else 1.0
        scale *= next((rate for part, rate in CAREFUL.items() if part in name), 1.0)
        parameter.requires_grad_(scale > 0)
        if scale:
            groups.append({"params": [parameter], "scale": scale})
    return groups


def learning_rate(step: int, course: float, peak: float, floor: float = 0.02) -> float:
    """Linear warm-up, and half a cosine from the peak to `floor` of it as `course` goes to 1."""
    cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * course))
    return peak * min(1.0, (step + 1) / WARMUP) * cosine


def codebook_decay(share: float) -> float:
    """Of moving averages, at a share of the peak rate: what they follow moves less as it falls, and
    longer averages are less noisy."""
    return 1 - 0.02 * min(1.0, max(0.1, share))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Each group at its fraction of the rate, where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)
