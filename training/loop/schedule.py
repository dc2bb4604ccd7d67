"""Learning rates by parameter and by progress, and the decay of the codebooks."""

from __future__ import annotations

import math
from typing import Any

from torch import nn
from torch.optim import Optimizer

RATE_SCALES = {
    "up_samples.steps.": 1.0,  # interpolation, which starts at random
    "down_": 0.05,
    "up_": 0.05,
    "features.": 0.05,
    "subframe.": 0.05,
    "pair.": 0.05,
    "project_": 0.2,
}
"""Fractions of the learning rate for parts that start as the exact transform: full-size first steps
would leak noise from loud bands into quiet ones. The first key that occurs in a parameter's name
applies."""
BETAS = (0.8, 0.99)
"""Decays of AdamW, for networks and for discriminators."""
WARMUP = 200
"""Steps of linear warm-up."""


def parameter_groups(
    network: nn.Module, encoder_rate: float = 1.0, rate: float = 1.0
) -> list[dict[str, Any]]:
    """Return the parameters in groups of one network and one `scale`, which multiplies the
    scheduled rate.

    All learn at `rate` of it, and the Encoder at `encoder_rate` of the Decoder's rate.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        scale = next((share for part, share in RATE_SCALES.items() if part in name), 1.0)
        groups.setdefault((name.startswith("encoder"), scale), []).append(parameter)
    return [
        {"params": parameters, "scale": rate * scale * (encoder_rate if encoder else 1.0)}
        for (encoder, scale), parameters in groups.items()
    ]


def cosine_decay(progress: float, floor: float = 0.02) -> float:
    """Return half a cosine that falls from 1 to `floor` as `progress` goes from 0 to 1."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def learning_rate(
    step: int, progress: float, peak: float, floor: float = 0.02, warmup: int = WARMUP
) -> float:
    """Return the rate after a linear warm-up and with `cosine_decay` from the peak to `floor` of
    it."""
    return peak * min(1.0, (step + 1) / warmup) * cosine_decay(progress, floor)


def codebook_decay(rate_share: float) -> float:
    """Return the decay of moving averages while the rate is `rate_share` of its peak.

    As the rate falls, the latents move less, and longer averages are less noisy.
    """
    return 1 - 0.02 * min(1.0, max(0.1, rate_share))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of each group, times its `scale` if it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)
