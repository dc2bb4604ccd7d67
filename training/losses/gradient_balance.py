"""Balance of several losses by the lengths of their gradients."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from training.loop.parallel import sum_all


class GradientBalance:
    """Scales losses so that their gradients at the Decoder's output have given lengths, relative
    to the length of the first one's (after the balancer of Défossez et al., 2022).

    Measured lengths are averaged with `decay`.
    """

    def __init__(self, decay: float = 0.8) -> None:
        self.decay = decay
        self.lengths: dict[str, float] = {}

    def measure(self, losses: dict[str, Tensor], output: Tensor) -> None:
        """Update the averages by the gradients of `losses` at `output`."""
        gradients = [
            torch.autograd.grad(loss, output, retain_graph=True)[0] for loss in losses.values()
        ]
        lengths = torch.stack([gradient.norm() for gradient in gradients])
        sum_all([lengths])
        if dist.is_initialized():
            lengths /= dist.get_world_size()
        for name, length in zip(losses, lengths.tolist(), strict=True):
            past = self.lengths.get(name, length)
            self.lengths[name] = self.decay * past + (1 - self.decay) * length

    def factors(self, weights: dict[str, float]) -> dict[str, float]:
        """Return the factor of each loss that gives its gradient the length `weights` asks for."""
        first = self.lengths[next(iter(self.lengths))]
        return {
            name: weight * first / max(self.lengths[name], 1e-12)
            for name, weight in weights.items()
        }
