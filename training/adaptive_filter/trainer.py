"""The training steps of the adaptive filter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nacli.adaptive_filter.sizes import DELAY, HOP
from nacli.checkpoint import load_checkpoint
from nacli.networks.torch_engine import Decoder, History
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterConfig, FilterInputs
from training.adaptive_filter.decoder_chain import decode, load_decoder
from training.adaptive_filter.evaluation import Rows, enhance
from training.adaptive_filter.losses import FilterLoss
from training.adaptive_filter.segments import Batch
from training.adaptive_filter.states import load_filter_state
from training.discriminators.discriminators import Discriminators, read_weights
from training.loop.schedule import BETAS, learning_rate, parameter_groups, set_rate
from training.loop.weight_average import WeightAverage
from training.losses.adversarial import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    mean_scores,
)
from training.losses.spectra import rms_level

LEAD = 6
"""Hops at the start of a segment without a loss: the filter does not know what precedes them."""
BEFORE = 34
"""Hops before these that only the Decoder gets: after the two, its sound before the filter has the
samples of a whole decode with an SNR of 60 dB."""
TRANSFORM = ("up_", "pair.", "subframe.", "features.")
"""Parts of the Decoder that do not learn, its inverse transform: small changes of it leak noise
from loud bands into quiet ones."""
FLOOR, WARMUP = 0.03, 50
"""Share of the learning rate that it falls to, and steps of its warm-up."""
DISCRIMINATOR_PERIODS, HIGHEST = (7,), 5000
"""Periods that the discriminator uses, and its highest frequency in Hz."""
LENGTHS = 20
"""Steps whose median ratio of gradient lengths scales the adversarial gradient."""


class FilterTrainer:
    """The adaptive filter, the Decoder where it learns with it, the discriminator where one is
    used, and all that a run stores."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        torch.manual_seed(options["seed"])
        self.model = load_checkpoint(options["model"])
        config = FilterConfig(self.model.config.width, before=options["before"])
        self.network = AdaptiveFilter(config)
        self.average = WeightAverage(self.network, options["ema"])
        groups: list[dict[str, Any]] = [{"params": list(self.network.parameters())}]
        self.decoder: Decoder | None = None
        if options["decoder_rate"]:
            self.decoder = load_decoder(self.model)
            for name, weight in self.decoder.named_parameters():
                weight.requires_grad_(not name.startswith(TRANSFORM))
            self.decoder_average = WeightAverage(self.decoder, options["ema"])
            share = options["decoder_rate"] / options["rate"]
            groups += parameter_groups(self.decoder, rate=share)
        self.optimizer = torch.optim.AdamW(groups, betas=BETAS, weight_decay=0.01)
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        self.loss = FilterLoss(
            *(options[name] for name in ("complex_share", "compressed", "mel", "waveform"))
        )
        self.lengths: list[float] = []
        self.discriminator: Discriminators | None = None
        if options["discriminator"]:
            self.discriminator = Discriminators(periods=DISCRIMINATOR_PERIODS, highest=HIGHEST)
            self.discriminator.adopt(read_weights(options["discriminator"]))
            self.discriminator_optimizer = torch.optim.AdamW(
                self.discriminator.parameters(), betas=BETAS, weight_decay=0.0
            )

    def start_from(self, path: Path) -> None:
        """Start anew from the averaged weights of another run, and from its discriminator. Where
        its Decoder did not learn, that of the checkpoint stays."""
        state = load_filter_state(path)
        self.network.load_state_dict(state["average"])
        self.average.restore({})
        if self.decoder and "decoder_average" in state:
            self.decoder.load_state_dict(state["decoder_average"], strict=False)  # buffers stay
            self.decoder_average.restore({})
        if self.discriminator and "discriminator" in state:
            self.discriminator.load_state_dict(state["discriminator"])

    def state(self) -> dict[str, Any]:
        """Return all that a resumed training needs."""
        state = {
            "config": self.network.config.to_json(),
            "filter": self.network.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
            "lengths": self.lengths,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
        }
        if self.decoder:
            state["decoder"] = self.decoder.state_dict()
            state["decoder_average"] = self.decoder_average.weights
        if self.discriminator:
            state["discriminator"] = self.discriminator.state_dict()
            state["discriminator_optimizer"] = self.discriminator_optimizer.state_dict()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.network.load_state_dict(state["filter"])
        self.average.restore(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.best = (state[n] for n in ("step", "seconds", "best"))
        self.lengths = state["lengths"]
        if self.decoder:
            self.decoder.load_state_dict(state["decoder"])
            self.decoder_average.restore(state["decoder_average"])
        if self.discriminator:
            self.discriminator.load_state_dict(state["discriminator"])
            self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Learn from a batch; return the losses by name."""
        progress, peak = self.step / self.options["steps"], self.options["rate"]
        set_rate(self.optimizer, learning_rate(self.step, progress, peak, FLOOR, WARMUP))
        pcm, inputs = batch.pcm, self._inputs(batch)
        output = self.network(inputs, History())[:, (LEAD + DELAY) * HOP :]
        target = pcm[:, LEAD * HOP : -DELAY * HOP]
        level = rms_level(target)
        target, heard = target / level, (output.detach() / level).requires_grad_()
        loss = self.loss(target, heard)
        gradient = torch.autograd.grad(loss.total, heard)[0]
        losses = {name: value.item() for name, value in loss._asdict().items()}
        if self.discriminator:
            more, adversarial = self._adversarial(target, heard, gradient.norm().item())
            gradient, losses = gradient + more, losses | adversarial
        self.optimizer.zero_grad()
        output.backward(torch.nan_to_num(gradient / level))
        norms = {"norm": nn.utils.clip_grad_norm_(self.network.parameters(), 5.0).item()}
        if self.decoder:
            norm = nn.utils.clip_grad_norm_(self.decoder.parameters(), 5.0)
            norms["decoder_norm"] = norm.item()
        self.optimizer.step()
        self.step += 1
        self.average.update(self.step)
        if self.decoder:
            self.decoder_average.update(self.step)
        return losses | norms

    def _inputs(self, batch: Batch) -> FilterInputs:
        """Return what the filter takes: with the sound of the Decoder as it is now, where it
        learns."""
        if not self.decoder:
            return batch.inputs
        decoded, features = decode(self.decoder, batch.decoder_inputs, BEFORE + LEAD)
        frames = batch.inputs.counts.shape[1]
        hops, samples = (slice(BEFORE * n, (BEFORE + frames) * n) for n in (1, HOP))
        return batch.inputs._replace(pcm=decoded[:, samples], features=features[:, hops])

    def _adversarial(
        self, target: Tensor, heard: Tensor, length: float
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the adversarial gradient at `heard` [B, T] and the losses; `length` is the length
        of the gradient of the reconstruction loss."""
        assert self.discriminator is not None
        size = min(self.options["crop"], target.shape[1])
        start = int(torch.randint(target.shape[1] - size + 1, (1,)))
        original, decoded = (x[:, start : start + size] for x in (target, heard))
        losses: dict[str, float] = {}
        if self.step % self.options["discriminator_every"] == 0:
            losses["discriminator"] = self._train_discriminator(original, decoded.detach())
        self.discriminator.requires_grad_(False)
        outputs = self.discriminator(original, decoded)
        generator, features = generator_loss(outputs), feature_matching_loss(outputs)
        total = generator + self.options["features"] * features
        gradient = torch.autograd.grad(total, heard)[0]
        self.discriminator.requires_grad_(True)
        ratio = length / max(gradient.norm().item(), 1e-9)
        self.lengths = [*self.lengths[1 - LENGTHS :], ratio]
        factor = self.options["adversarial"] * sorted(self.lengths)[len(self.lengths) // 2]
        scores = mean_scores(outputs).tolist()
        losses |= {"adversarial": generator.item(), "features": features.item()}
        losses |= {"score_original": scores[0], "score_decoded": scores[1]}
        return factor * gradient, losses

    def _train_discriminator(self, original: Tensor, decoded: Tensor) -> float:
        """Let the discriminator learn from samples [B, T]; return its loss."""
        assert self.discriminator is not None
        loss = discriminator_loss(self.discriminator(original, decoded))
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.discriminator.parameters(), 5.0)
        rate = self.options["discriminator_rate"] * min(1.0, (self.step + 1) / 200)
        set_rate(self.discriminator_optimizer, rate)
        self.discriminator_optimizer.step()
        return loss.item()

    @torch.no_grad()
    def validation_loss(self, rows: Rows) -> list[float]:
        """Return the mean reconstruction loss of the averaged filter for the clips of each rate,
        without contrast, as in training."""
        network, decoder, means = self.averaged(), self.averaged_decoder(), []
        for row in rows:
            losses = []
            for clip in row:
                target = torch.from_numpy(clip.original)[None]
                heard = torch.from_numpy(enhance(network, decoder, clip, contrast=False))
                output, level = heard[None], rms_level(target)
                losses.append(self.loss(target / level, output / level).total.item())
            means.append(sum(losses) / len(losses))
        return means

    def averaged(self) -> AdaptiveFilter:
        """Return a filter with the averaged weights."""
        network = AdaptiveFilter(self.network.config)
        network.load_state_dict(self.average.weights)
        return network.eval()

    def averaged_decoder(self) -> Decoder | None:
        """Return the Decoder with the averaged weights; None where it does not learn."""
        if self.decoder is None:
            return None
        return load_decoder(self.model, self.decoder_average.weights)
