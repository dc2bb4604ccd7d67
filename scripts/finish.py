"""Finish the Decoder: train it alone, against discriminators, so that what it adds sounds real.

    python scripts/finish.py --init runs/main/state.pt --run runs/finish --hours 4 --workers 2

Encoder and codebooks stay as they are, so codes and the entropy model do too:
`scripts/export.py --decoder-for` puts the new Decoder into a shipped checkpoint. Goes on from
`<run>/state.pt` when that exists, to the same end as without the interruption. A discriminator on
spectral frames suits a CPU, one on spectra as pictures a GPU.

`<run>/log.jsonl` has all losses (`telling` is the discriminator's), mean scores of original and
decoded sound, and `length_*`: how long each loss's gradient at the Decoder's output was, not
balanced. From the first checkpoint's state, after 200 steps of the discriminator on frames, those
were 0.12 for reconstruction, 1.0 adversarial and 0.7 for features: as weights of losses
(`--no-balance`), 0.12 and 0.33 pull as the defaults do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from training.adversarial import (
    Balance,
    deceiving_loss,
    feature_loss,
    mean_scores,
    telling_loss,
)
from training.average import Average
from training.codec import Codec, Coded, as_encoded, autocast_blocks
from training.corpus import Sampler, read_corpus
from training.discriminators import DISCRIMINATORS
from training.loop import Training, listening_clips, run_steps, start_run
from training.losses import Losses, level_of
from training.options import loss_options, losses_from, run_options
from training.parallel import average_gradients
from training.schedule import learning_rate, parameter_groups, set_rate
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
        codec.quantizer.frozen = codec.trims.frozen = True
        self.optimizer = torch.optim.AdamW(groups, betas=BETAS, weight_decay=0.01)
        self.discriminator = DISCRIMINATORS[options["discriminator"]]().to(self.device)
        self.judges = list(self.discriminator.parameters())
        self.judge_optimizer = torch.optim.AdamW(self.judges, betas=BETAS, weight_decay=0.01)
        self.balance = Balance()
        self.random = np.random.default_rng(options["seed"])
        self.average = Average(codec, options["ema"])

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "optimizer": self.optimizer.state_dict(),
            "kind": self.options["discriminator"],
            "discriminator": self.discriminator.state_dict(),
            "judge_optimizer": self.judge_optimizer.state_dict(),
            "lengths": self.balance.lengths,
        }

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        super().restore(state, weights_only)
        if weights_only:
            return
        self.optimizer.load_state_dict(state["optimizer"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.judge_optimizer.load_state_dict(state["judge_optimizer"])
        self.balance.lengths = state["lengths"]

    def train_step(self, pcm: Tensor) -> tuple[dict[str, float], Tensor]:
        """One forward pass through the discriminator serves both sides: the Decoder gets the
        gradient at its output, the discriminator that of its weights."""
        pcm = pcm.to(self.device)
        learning = self.step >= self.options["warmup"]
        with torch.set_grad_enabled(learning):
            coded = self.codec(pcm, as_encoded(self.codec.config.stages, self.random))
        level = level_of(pcm)
        # by its level, or the gradients of quiet clips would be far longer than those of loud ones
        heard = (coded.output.detach().float() / level).requires_grad_()
        verdicts = self.discriminator(pcm / level, heard)
        nothing = torch.zeros_like(coded.commitment)
        parts = self.losses(pcm, heard * level, nothing, nothing)
        del parts["commitment"], parts["trims"]
        pulls = {
            "reconstruction": parts.pop("total"),
            "adversarial": deceiving_loss(verdicts),
            "features": feature_loss(verdicts),
        }
        telling = telling_loss(verdicts)
        gradients = torch.autograd.grad(telling, self.judges, retain_graph=True)
        if learning:
            self._move_decoder(coded, self._pull(pulls, heard) / level)
        self._move_discriminator(gradients)
        self.step += 1
        original, decoded = mean_scores(verdicts)
        losses = {**pulls, **parts, "trims": coded.trims, "telling": telling}
        row = {name: float(value.detach()) for name, value in losses.items()}
        row |= {"score_original": original, "score_decoded": decoded}
        lengths = {f"length_{name}": self.balance.lengths.get(name, 0.0) for name in pulls}
        return row | lengths, coded.codes

    def _pull(self, losses: dict[str, Tensor], heard: Tensor) -> Tensor:
        """The gradient of all losses together at the Decoder's output."""
        if self.step % self.balance.every == 0 or not self.balance.lengths:
            self.balance.measure(losses, heard)
        asked = {"reconstruction": 1.0} | {n: self.options[n] for n in ("adversarial", "features")}
        factors = self.balance.factors(asked) if self.options["balance"] else asked
        total = torch.stack([factor * losses[name] for name, factor in factors.items()]).sum()
        return torch.autograd.grad(total, heard)[0]

    def _move_decoder(self, coded: Coded, gradient: Tensor) -> None:
        """By the gradient at its output, and by what trims have to correct: with levels that these
        hold, sound that gives itself away would be hidden by lowering it."""
        step = self.step - self.options["warmup"]
        rate = learning_rate(step, self.course, self.options["rate"])
        set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        wanted = self.options["trims"] * coded.trims
        torch.autograd.backward([coded.output, wanted], [gradient.to(coded.output.dtype), None])
        parameters = list(self.codec.decoder.parameters())
        average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 5.0, error_if_nonfinite=True)
        self.optimizer.step()
        self.average.follow(step)

    def _move_discriminator(self, gradients: tuple[Tensor, ...]) -> None:
        rate = learning_rate(self.step, self.course, self.options["discriminator_rate"])
        set_rate(self.judge_optimizer, rate)
        for parameter, gradient in zip(self.judges, gradients, strict=True):
            parameter.grad = gradient
        average_gradients(self.judges)
        nn.utils.clip_grad_norm_(self.judges, 5.0, error_if_nonfinite=True)
        self.judge_optimizer.step()


@click.command()
@click.option("--init", type=click.Path(path_type=Path), help="State or checkpoint to start from.")
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
@click.option("--trims", default=1.0, help="Weight of levels that trims must correct.")
def main(**options: Any) -> None:
    """Train for STEPS steps or HOURS hours in all, resuming from <run>/state.pt."""
    state: Path = options["run"] / "state.pt"
    if not state.exists() and options["init"] is None:
        raise click.UsageError(
            f"name a state or checkpoint to start from with --init: there is no {state}"
        )
    start_run(work, options)


def work(rank: int, options: dict[str, Any]) -> None:
    """One process of the training, the only one unless `--workers` asks for more."""
    run: Path = options["run"]
    torch.manual_seed(options["seed"])
    state = run / "state.pt"
    found = state if state.exists() else options["init"]
    loaded = load_state(found, options["device"])
    codec = Codec(ModelConfig.from_json(loaded["config"])).to(options["device"])
    autocast_blocks(codec, options["device"], options["bf16"])
    finisher = Finisher(codec, losses_from(options, codec.config.sample_rate), options)
    if found == state and loaded.get("kind") != options["discriminator"]:
        raise click.ClickException(
            f"{state}: no run against {options['discriminator']!r}; start from it with --init"
        )
    finisher.restore(loaded, weights_only=found != state)
    sources = read_corpus(options["corpus"])
    segment = round(options["segment"] * codec.config.frame_rate) * codec.config.hop
    sampler = Sampler(sources, segment, options["seed"], options["music"])

    def draw() -> Tensor:
        """Each step and process has its own seed, so that a resumed run draws what it would have
        drawn without the interruption."""
        seed = (options["seed"], rank, finisher.step)
        finisher.random = sampler.random = np.random.default_rng(seed)
        return sampler.batch(options["batch"])

    run_steps(finisher, draw, listening_clips(sources), run, first=rank == 0)


if __name__ == "__main__":
    main()
