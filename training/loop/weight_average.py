"""Moving average of weights, which is better than the weights of any step (Polyak and Juditsky,
1992)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages the parameters of a module, by name."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.restore({})

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Continue from an average; parameters that it lacks start from their present values."""
        present = {name: weight.clone() for name, weight in self._named()}
        self.weights = present | weights

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step`.

        Early averages forget faster, or they would keep the initial weights for thousands of
        steps.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        present = dict(self._named())
        averages = [self.weights[name] for name in present]
        torch._foreach_lerp_(averages, list(present.values()), 1 - decay)

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, weight.detach()) for name, weight in self.module.named_parameters())
