"""Moving average of weights, which is better than the weights of any step (Polyak and Juditsky,
1992)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages the trainable parameters of a module, by name."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.restore({})

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Continue from an average; parameters that it lacks start from their present values."""
        present = {name: weight.detach().clone() for name, weight in self._trainable()}
        self.weights = present | weights

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step`.

        Early averages forget faster, or they would keep the initial weights for thousands of
        steps.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, weight in self._trainable():
            self.weights[name].lerp_(weight, 1 - decay)

    def _trainable(self) -> list[tuple[str, Tensor]]:
        return [(n, weight) for n, weight in self.module.named_parameters() if weight.requires_grad]
