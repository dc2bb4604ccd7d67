"""Finish the Decoder: train it alone, against discriminators, so that what it adds sounds real.

    python scripts/finish.py --init models/nacli-24k.safetensors --run runs/finish --hours 1.5 \\
        --workers 2

Encoder and codebooks stay as they are, so codes and the entropy model do too. It learns from codes
as the encoder finds them: the corpus is coded once, and a step costs half of one that trains
everything. Corrections follow the Decoder. `scripts/export.py --decoder-for` puts both into a checkpoint.
Goes on from `<run>/state.pt` when that exists, to the same end as without the interruption. With
`--adversarial 0 --features 0` there is no discriminator. `--config` changes what the Decoder is:
blocks that are new start as an identity, and frames ahead as if there were none.

`<run>/log.jsonl` has all losses (`telling` is the discriminator's), mean scores of original and
decoded sound, and `length_*`: how long each loss's gradient at the Decoder's output was, not
balanced.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from nacli.checkpoint import load_checkpoint
from nacli.config import ModelConfig
from nacli.networks.torch_engine import History
from training.adversarial import (
    Balance,
    deceiving_loss,
    feature_loss,
    mean_scores,
    telling_loss,
)
from training.average import Average
from training.codec import Codec, autocast_blocks
from training.coded import LEAD, Batch, CodedSampler
from training.codes import Recording, cached_codes
from training.corpus import read_corpus
from training.discriminators import DISCRIMINATORS, Verdict
from training.loop import Training, listening_clips, run_steps, start_run
from training.losses import Losses, level_of
from training.options import loss_options, losses_from, run_options
from training.parallel import average_gradients
from training.schedule import codebook_decay, learning_rate, parameter_groups, set_rate
from training.states import load_state

BETAS = (0.8, 0.99)


class Finisher(Training):
    """The Decoder and a discriminator against each other; the Decoder's weights averaged too.

    For the first `--warmup` steps the discriminator learns alone.
    """

    def __init__(self, codec: Codec, losses: Losses, options: dict[str, Any]) -> None:
        super().__init__(codec, options)
        self.losses = losses
        groups = parameter_groups(codec, encoder_rate=0.0)  # the Decoder's, all else frozen
        codec.quantizer.frozen = True
        self.optimizer = torch.optim.AdamW(groups, betas=BETAS, weight_decay=0.01)
        pulls = {name: options[name] for name in ("adversarial", "features") if options[name]}
        self.asked = {"reconstruction": 1.0} | pulls
        self.judge = Judge(options, self.device) if pulls else None
        self.balance = Balance()
        self.average = Average(codec, options["ema"])

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "optimizer": self.optimizer.state_dict(),
            "lengths": self.balance.lengths,
            **(self.judge.state() if self.judge else {}),
        }

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        super().restore(state, weights_only)
        if weights_only:
            return
        self.optimizer.load_state_dict(state["optimizer"])
        self.balance.lengths = state["lengths"]
        if self.judge:
            self.judge.restore(state)

    @property
    def _steps(self) -> int:
        """Steps that the Decoder has learned; negative in the warm-up."""
        return self.step - (self.options["warmup"] if self.judge else 0)

    def samples(self, batch: Batch) -> int:
        return batch.target.numel()

    def train_step(self, batch: Batch) -> tuple[dict[str, float], Tensor]:
        """One forward pass through the discriminator serves both sides: the Decoder gets the
        gradient at its output, the discriminator that of its weights."""
        batch = batch.to(self.device)
        learning = self._steps >= 0
        rate = learning_rate(self._steps, self.course, self.options["rate"])
        set_rate(self.optimizer, rate)
        self.codec.corrections.frozen = not learning
        self.codec.corrections.decay = codebook_decay(rate / self.options["rate"])
        with torch.set_grad_enabled(learning):
            made = self.codec.decoder(*batch.coded, History())[:, LEAD * self.codec.config.hop :]
            counts = batch.counts * (batch.gains > 0)
            counts = counts.roll(self.codec.config.lookahead, 1)[
                :, LEAD:
            ]  # those of what comes out
            made, wanted = self.codec.level(made.float(), batch.target, counts)
        corrections = wanted.square().mean()
        level = level_of(batch.target)
        # by its level, or the gradients of quiet clips would be far longer than those of loud ones
        heard = (made.detach() / level).requires_grad_()
        nothing = torch.zeros_like(corrections)
        parts = self.losses(batch.target, heard * level, nothing, nothing)
        del parts["commitment"], parts["corrections"]
        pulls = {"reconstruction": parts.pop("total")}
        row = {"corrections": float(corrections.detach())}
        if self.judge:
            verdicts = self.judge(batch.target / level, heard)
            found = {"adversarial": deceiving_loss(verdicts), "features": feature_loss(verdicts)}
            pulls |= {name: loss for name, loss in found.items() if name in self.asked}
            row |= self.judge.learn(verdicts, self.step, self.course)
        if learning:
            self._move_decoder(made, corrections, self._pull(pulls, heard) / level)
        self.step += 1
        row |= {name: float(value.detach()) for name, value in {**pulls, **parts}.items()}
        row |= {f"length_{name}": self.balance.lengths.get(name, 0.0) for name in pulls}
        return row, batch.codes.transpose(0, 1).flatten(1)

    def _pull(self, losses: dict[str, Tensor], heard: Tensor) -> Tensor:
        """The gradient of all losses together at the Decoder's output."""
        if self.step % self.balance.every == 0 or not self.balance.lengths:
            self.balance.measure(losses, heard)
        factors = self.balance.factors(self.asked) if self.options["balance"] else self.asked
        total = torch.stack([factors[name] * loss for name, loss in losses.items()]).sum()
        return torch.autograd.grad(total, heard)[0]

    def _move_decoder(self, made: Tensor, corrections: Tensor, gradient: Tensor) -> None:
        """By the gradient at its output, and by what corrections have to correct: with levels that these
        hold, sound that gives itself away would be hidden by lowering it."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward([made, self.options["corrections"] * corrections], [gradient, None])
        parameters = list(self.codec.decoder.parameters())
        average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 5.0, error_if_nonfinite=True)
        self.optimizer.step()
        self.average.follow(self._steps)


class Judge:
    """A discriminator and how it learns."""

    def __init__(self, options: dict[str, Any], device: torch.device) -> None:
        self.options = options
        self.discriminator = DISCRIMINATORS[options["discriminator"]]().to(device)
        self.weights = list(self.discriminator.parameters())
        self.optimizer = torch.optim.AdamW(self.weights, betas=BETAS, weight_decay=0.01)

    def __call__(self, original: Tensor, decoded: Tensor) -> list[Verdict]:
        verdicts: list[Verdict] = self.discriminator(original, decoded)
        return verdicts

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.options["discriminator"],
            "discriminator": self.discriminator.state_dict(),
            "judge_optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["judge_optimizer"])

    def learn(self, verdicts: list[Verdict], step: int, course: float) -> dict[str, float]:
        """Move by what it said; leaves the graph for the Decoder."""
        telling = telling_loss(verdicts)
        gradients = torch.autograd.grad(telling, self.weights, retain_graph=True)
        rate = learning_rate(step, course, self.options["discriminator_rate"])
        set_rate(self.optimizer, rate)
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        average_gradients(self.weights)
        nn.utils.clip_grad_norm_(self.weights, 5.0, error_if_nonfinite=True)
        self.optimizer.step()
        original, decoded = mean_scores(verdicts)
        told = {"score_original": original, "score_decoded": decoded}
        return {"telling": float(telling.detach()), **told}


def grown(config: ModelConfig, state: dict[str, Any]) -> dict[str, Any]:
    """A state with another configuration's Decoder: what it has no weights for starts anew."""
    codec = Codec(config)
    weights = state["codec"] | state.get("average", {})
    try:
        missing, unexpected = codec.load_state_dict(weights, strict=False)
    except RuntimeError:
        missing, unexpected = [], ["sizes"]
    if unexpected or any(not name.startswith("decoder.") for name in missing):
        raise click.ClickException("--config: the weights are of a codec that differs in more")
    return {**state, "codec": codec.state_dict(), "average": {}, "config": config.to_json()}


@click.command()
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    default=Path("models/nacli-24k.safetensors"),
    help="Checkpoint whose Encoder and codebooks are kept.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="State to start from instead.")
@click.option("--config", type=click.Path(path_type=Path), help="JSON of what is to be different.")
@click.option("--codes", type=click.Path(path_type=Path), default=Path("runs/codes"))
@click.option("--code-hours", default=8.0, help="Of the corpus, coded once and kept in CODES.")
@run_options(run="runs/finish", steps=20_000, rate=2e-4, listen=1000)
@click.option("--discriminator", type=click.Choice(list(DISCRIMINATORS)), default="frames")
@click.option("--discriminator-rate", default=2e-4, help="Peak learning rate of its own.")
@click.option("--warmup", default=300, help="Steps that the discriminator learns alone.")
@click.option("--adversarial", default=1.0, help="Pull of the adversarial loss.")
@click.option("--features", default=2.0, help="Pull of feature matching.")
@click.option(
    "--balance/--no-balance",
    default=True,
    help="Pulls as lengths of gradients, that of the reconstruction losses being 1; else as"
    " weights of losses.",
)
@loss_options
@click.option("--corrections", default=1.0, help="Weight of levels that corrections must correct.")
def main(**options: Any) -> None:
    """Train for STEPS steps or HOURS hours in all, resuming from <run>/state.pt."""
    start_run(work, options)


def work(rank: int, options: dict[str, Any]) -> None:
    """One process of the training, the only one unless `--workers` asks for more."""
    torch.manual_seed(options["seed"])
    model, state = load_checkpoint(options["init"]), options["run"] / "state.pt"
    found = state if state.exists() else options["weights"] or options["init"]
    loaded = load_state(found, options["device"])
    if found != state and options["config"]:
        changes = json.loads(options["config"].read_text())
        loaded = grown(replace(ModelConfig.from_json(loaded["config"]), **changes), loaded)
    codec = Codec(ModelConfig.from_json(loaded["config"])).to(options["device"])
    autocast_blocks(codec, options["device"], options["bf16"])
    finisher = Finisher(codec, losses_from(options, codec.config.sample_rate), options)
    kind = options["discriminator"] if finisher.judge else None
    if found == state and loaded.get("kind") != kind:
        raise click.ClickException(
            f"{state}: no run against {kind!r}; start from it with --weights"
        )
    finisher.restore(loaded, weights_only=found != state)
    corpus, hours, music = (options[name] for name in ("corpus", "code_hours", "music"))
    share = slice(rank, None, options["workers"])
    recordings = cached_codes(
        Recording, model, corpus, options["codes"], 3600 * hours, music, share
    )
    frames = round(options["segment"] * codec.config.frame_rate)
    sampler = CodedSampler(recordings, model.codebooks, codec.config, frames)

    def draw() -> Batch:
        """Each step and process has its own seed, so that a resumed run draws what it would have
        drawn without the interruption."""
        torch.manual_seed(options["seed"] + finisher.step)
        sampler.random = np.random.default_rng((options["seed"], rank, finisher.step))
        return sampler.batch(options["batch"])

    clips = listening_clips(read_corpus(corpus))
    run_steps(finisher, draw, clips, options["run"], first=rank == 0)


if __name__ == "__main__":
    main()
