"""Training of Encoder, quantiser and Decoder, or of the Decoder alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from training.codec import Codec
from training.loop.parallel import average_gradients
from training.loop.schedule import (
    BETAS,
    codebook_decay,
    learning_rate,
    parameter_groups,
    set_rate,
)
from training.loop.weight_average import WeightAverage
from training.losses.reconstruction import ReconstructionLosses
from training.losses.spectra import rms_level
from training.stage_allocation import random_allocation
from training.trainer.adversary import Adversary
from training.trainer.cuda_graph import GraphedStep

ADVERSARIAL_DECAY = 0.996
"""Decay of the codebooks against discriminators, under which latents move little."""
ALONE_RATE = 0.3
"""Share of the codec's learning rate while the discriminators learn alone."""
MEASURE_STEPS = 50
"""Steps between measurements of gradient lengths, each of which costs a step without a graph."""


class CodecTrainer:
    """The codec, its optimiser, its averaged weights, and discriminators where they are used.

    `draw` returns the batch of a step by its number, samples [B, T] on the device. It is a part of
    the CUDA graph on a GPU, where the number stays that of the recording.
    """

    def __init__(
        self,
        codec: Codec,
        losses: ReconstructionLosses,
        draw: Callable[[int], Tensor],
        options: dict[str, Any],
    ) -> None:
        self.codec, self.losses, self.draw, self.options = codec, losses, draw, options
        self.device = torch.device(options["device"])
        adversarial = options["adversarial"] or options["features"]
        self.adversary = Adversary(options, self.device) if adversarial else None
        groups = parameter_groups(codec, options["encoder_rate"])
        self.optimizer = torch.optim.AdamW(groups, betas=BETAS, weight_decay=0.01, fused=True)
        self.average = WeightAverage(codec, options["ema"])
        self.parameters = list(codec.parameters())
        trained = self.parameters + (self.adversary.parameters if self.adversary else [])
        self._graphs = {
            frozen: GraphedStep(self._pass, trained, self.device) for frozen in (False, True)
        }
        self._allocate = random_allocation(codec.config.stages)
        self.step, self.seconds = 0, 0.0
        self.past = {"steps": 0, "seconds": 0.0}

    @property
    def spent(self) -> float:
        """Share of the run's time or steps that has been trained."""
        if self.options["seconds"] is not None:
            return min(1.0, self.seconds / self.options["seconds"])
        return min(1.0, self.step / self.options["steps"])

    @property
    def progress(self) -> float:
        """Position in the schedule, which a chained run begins and ends at any share of."""
        begin, until = self.options["begin"], self.options["until"]
        return float(begin + (until - begin) * self.spent)

    @property
    def frozen(self) -> bool:
        """Whether Encoder and codebooks stay as they are."""
        return self.progress >= self.options["freeze"]

    def train_step(self) -> dict[str, Tensor]:
        """Draw a batch and learn from it; return the losses by name."""
        frozen = self.frozen
        self.codec.freeze(frozen)
        self._set_rates()
        if self.adversary:
            if self.step % MEASURE_STEPS == 0 or not self.adversary.balance.lengths:
                self._measure_lengths()
            self.adversary.set_factors(self.step)
        logged = self._graphs[frozen]()
        average_gradients(self.parameters)
        norm = nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        if self.adversary:
            self.adversary.learn(logged, self.step, self.progress)
        self.step += 1
        self.average.update(self.step)
        return logged | {"gradient": norm}

    def prepare(self) -> None:
        """Record the first step's graph, so that the clock does not run while convolutions are
        chosen. A CPU has nothing to prepare."""
        if self.device.type == "cuda":
            self.codec.freeze(self.frozen)
            self._graphs[self.frozen]()

    def _set_rates(self) -> None:
        share = learning_rate(self.step, self.progress, 1.0, self.options["floor"])
        decay = codebook_decay(share) if self.adversary is None else ADVERSARIAL_DECAY
        if self.adversary and self.adversary.told is None:
            share *= ALONE_RATE
        set_rate(self.optimizer, share * self.options["rate"])
        self.codec.quantizer.decay.fill_(decay)

    def _pass(self) -> dict[str, Tensor]:
        """Set all gradients for a new batch, and return the losses.

        One pass through the discriminators serves both sides: the codec gets the gradient at its
        output, the discriminators that at their weights.
        """
        output, commitment, level, target, heard = self._decode()
        losses = self.losses(target, heard)
        total, logged = losses["reconstruction"], {**losses, "commitment": commitment}
        if self.adversary:
            adversarial, own = self.adversary.losses(target, heard)
            self.adversary.set_gradients(own["discriminator"])
            total = total + self.adversary.weighted(adversarial)
            logged |= adversarial | own
        gradient = torch.nan_to_num(torch.autograd.grad(total, heard)[0] / level, 0.0, 0.0, 0.0)
        ends, gradients = [output], [gradient]
        if commitment.requires_grad:
            ends.append(self.options["commitment"] * commitment)
            gradients.append(torch.ones_like(commitment))
        torch.autograd.backward(ends, gradients)
        return {name: loss.detach() for name, loss in logged.items()}

    def _decode(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Code a batch: return the output [B, T], the commitment loss, the level of the target
        [B, 1], and target and output divided by it, the latter as a leaf."""
        pcm = self.draw(self.step)
        coded, level = self.codec(pcm, self._allocate), rms_level(pcm)
        heard = (coded.output.detach() / level).requires_grad_()
        return coded.output, coded.commitment, level, pcm / level, heard

    def _measure_lengths(self) -> None:
        """Measure the gradient lengths of all losses on a batch of which nothing is learned."""
        assert self.adversary is not None
        with torch.no_grad():
            frozen, self.codec.quantizer.frozen = self.codec.quantizer.frozen, True
            *_, target, heard = self._decode()
            self.codec.quantizer.frozen = frozen
        losses = {"reconstruction": self.losses(target, heard)["reconstruction"]}
        losses |= self.adversary.losses(target, heard)[0]
        self.adversary.balance.measure(losses, heard)

    @property
    def averaged_codec(self) -> Codec:
        """A copy of the codec with averaged weights, in evaluation mode."""
        averaged = Codec(self.codec.config).to(self.device)
        averaged.load_state_dict(self.codec.state_dict() | self.average.weights)
        return averaged.eval()

    def state(self) -> dict[str, Any]:
        """Return all that a resumed training needs."""
        return {
            "codec": self.codec.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "past": self.past,
            "config": self.codec.config.to_json(),
            **(self.adversary.state() if self.adversary else {}),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.codec.load_state_dict(state["codec"])
        self.average.restore(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.past = (state[name] for name in ("step", "seconds", "past"))
        if self.adversary:
            self.adversary.restore(state)

    def start_from(self, state: dict[str, Any]) -> None:
        """Start anew from the averaged weights of a state, and from its discriminators if it has
        any."""
        self.codec.load_state_dict(state["codec"] | state.get("average", {}))
        self.average.restore({})
        past = state.get("past", {"steps": 0, "seconds": 0.0})
        self.past = {
            "steps": past["steps"] + state.get("step", 0),
            "seconds": past["seconds"] + state.get("seconds", 0.0),
        }
        if self.adversary and "discriminators" in state:
            self.adversary.discriminators.load_state_dict(state["discriminators"])
