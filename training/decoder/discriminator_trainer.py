"""Training of the discriminator beside that of the Decoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.discriminators.discriminators import DISCRIMINATORS
from training.loop.parallel import average_gradients
from training.loop.schedule import learning_rate, set_rate
from training.losses.adversarial import ScaleOutput, discriminator_loss, mean_scores

BETAS = (0.8, 0.99)
"""Decays of AdamW, for the discriminator and for the Decoder."""


class DiscriminatorTrainer:
    """A discriminator with its optimiser."""

    def __init__(self, options: dict[str, Any], device: torch.device) -> None:
        self.options = options
        self.discriminator = DISCRIMINATORS[options["discriminator"]]().to(device)
        self.weights = list(self.discriminator.parameters())
        self.optimizer = torch.optim.AdamW(self.weights, betas=BETAS, weight_decay=0.01)

    def __call__(self, original: Tensor, decoded: Tensor) -> list[ScaleOutput]:
        """Return the discriminator's outputs for samples [B, T]."""
        outputs: list[ScaleOutput] = self.discriminator(original, decoded)
        return outputs

    def state(self) -> dict[str, Any]:
        """Return all that a resumed training needs."""
        return {
            "kind": self.options["discriminator"],
            "discriminator": self.discriminator.state_dict(),
            "discriminator_optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["discriminator_optimizer"])

    def train_step(
        self, outputs: list[ScaleOutput], step: int, progress: float
    ) -> dict[str, float]:
        """Learn from outputs whose graph the Decoder still needs; return loss and mean scores."""
        loss = discriminator_loss(outputs)
        gradients = torch.autograd.grad(loss, self.weights, retain_graph=True)
        set_rate(self.optimizer, learning_rate(step, progress, self.options["discriminator_rate"]))
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        average_gradients(self.weights)
        nn.utils.clip_grad_norm_(self.weights, 5.0, error_if_nonfinite=True)
        self.optimizer.step()
        original, decoded = mean_scores(outputs)
        return {
            "discriminator": float(loss.detach()),
            "score_original": original,
            "score_decoded": decoded,
        }
