"""A moving average of weights, which is better than any of them (Polyak and Juditsky, 1992)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average:
    """Of the parameters of a module that learn, by name."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.restore({})

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Go on from an average, or with none from the weights as they are."""
        found = {name: weight.detach().clone() for name, weight in self._learning()}
        self.weights = found | weights

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take in the weights after so many steps. Young averages forget faster, or they would keep
        the start for thousands of steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, weight in self._learning():
            self.weights[name].lerp_(weight, 1 - decay)

    def _learning(self) -> list[tuple[str, Tensor]]:
        return [(n, weight) for n, weight in self.module.named_parameters() if weight.requires_grad]
