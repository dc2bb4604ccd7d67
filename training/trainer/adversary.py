"""The discriminators of a training: what they cost the codec, and how they learn."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from training.discriminators.discriminators import Discriminators
from training.loop.parallel import agree, average_gradients
from training.loop.schedule import BETAS, learning_rate, set_rate
from training.losses.adversarial import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    mean_scores,
)
from training.losses.gradient_balance import GradientBalance
from training.precision import bf16, uses_bf16

CONTEXT = 4800
"""Samples at the start of a clip that discriminators do not see, as the Decoder lacks context."""
FLOOR, WARMUP = 0.2, 50
"""Share of the learning rate that it falls to, and steps of its warm-up."""
RAMP = 200
"""Steps in which the weights of the adversarial losses grow once the discriminators tell."""
SCORE_DECAY, LISTEN_STEPS = 0.9, 25
"""Decay of the moving means of the scores, and steps between looks at them: a look waits for the
GPU."""


class Adversary:
    """Discriminators with their optimiser.

    At first they learn alone, which means that the codec does not learn from them: until the mean
    scores of originals and of decoded sound are `--gap` apart, or for about `--alone` steps.
    """

    def __init__(self, options: dict[str, Any], device: torch.device) -> None:
        self.options = options
        self.discriminators = Discriminators().to(device)
        self.parameters = list(self.discriminators.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, betas=BETAS, weight_decay=0.0, fused=device.type == "cuda"
        )
        self.weights = {name: options[name] for name in ("adversarial", "features")}
        self.balance = GradientBalance()
        self.scores = torch.zeros(2, device=device)
        self.factors = torch.zeros(2, device=device)
        """Factors of the losses; a CUDA graph reads them at every step."""
        self.told = None if options["alone"] else 0
        """The step from which on the discriminators have told."""
        self._bf16 = uses_bf16(options["device"], options["bf16"])

    def losses(self, target: Tensor, heard: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the two losses of the codec, and the loss and the mean scores of the
        discriminators, for samples [B, T] of which they see a random part."""
        length = min(self.options["crop"], target.shape[1])
        first = min(CONTEXT, target.shape[1] - length)
        start = torch.randint(first, target.shape[1] - length + 1, (1,), device=target.device)
        part = start + torch.arange(length, device=target.device)
        with bf16(self.options["device"]) if self._bf16 else nullcontext():
            outputs = self.discriminators(target.index_select(1, part), heard.index_select(1, part))
        codec = {"adversarial": generator_loss(outputs), "features": feature_matching_loss(outputs)}
        scores = mean_scores(outputs)
        own = {"discriminator": discriminator_loss(outputs)}
        return codec, own | {"score_original": scores[0], "score_decoded": scores[1]}

    def set_gradients(self, loss: Tensor) -> None:
        """Set the gradients of the discriminators; the graph of `loss` stays."""
        gradients = torch.autograd.grad(loss, self.parameters, retain_graph=True)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient.contiguous()  # fused AdamW wants the layout of the weights

    def weighted(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the sum of the codec's losses with the present factors."""
        return (torch.stack(list(losses.values())) * self.factors).sum()

    def set_factors(self, step: int) -> None:
        """Set the factors that give the gradients of the losses their lengths."""
        ramp = 0.0 if self.told is None else min(1.0, (step - self.told) / RAMP)
        factors = self.balance.factors({"reconstruction": 1.0} | self.weights)
        for index, name in enumerate(self.weights):
            self.factors[index] = ramp * factors[name]

    def learn(self, logged: dict[str, Tensor], step: int, progress: float) -> None:
        """Make a step by the gradients, and see whether the discriminators tell."""
        set_rate(
            self.optimizer,
            learning_rate(step, progress, self.options["discriminator_rate"], FLOOR, WARMUP),
        )
        average_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        new = torch.stack([logged["score_original"], logged["score_decoded"]])
        self.scores.lerp_(new, 1 - SCORE_DECAY)
        if self.told is None and (step + 1) % LISTEN_STEPS == 0:
            gap = agree(float(self.scores[0] - self.scores[1]))
            if gap > self.options["gap"] or step + 1 >= self.options["alone"]:
                self.told = step + 1

    def state(self) -> dict[str, Any]:
        """Return all that a resumed training needs."""
        return {
            "discriminators": self.discriminators.state_dict(),
            "discriminator_optimizer": self.optimizer.state_dict(),
            "lengths": self.balance.lengths,
            "scores": self.scores,
            "told": self.told,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.discriminators.load_state_dict(state["discriminators"])
        self.optimizer.load_state_dict(state["discriminator_optimizer"])
        self.balance.lengths, self.told = state["lengths"], state["told"]
        self.scores.copy_(state["scores"])
