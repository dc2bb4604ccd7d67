"""Train the learned entropy model on the codes of a frozen checkpoint; resumable.

    python scripts/train_entropy.py --corpus data/corpus --out runs/entropy

Caches codes of `--hours` of the corpus, trains in float and, for the last part, rounded as the
integers will be, measures the integers on what the corpus holds back, and writes
`<out>/entropy.safetensors`, which `scripts/attach_entropy.py` puts into the checkpoint. A state
that is there already is gone on from.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from safetensors.numpy import save_file
from tqdm import tqdm

from nacli.checkpoint import Model, load_checkpoint
from nacli.entropy import ChannelCodes, LearnedModel
from nacli.entropy.context import CodeVectors
from training.codes import Segment, cached_codes, held_out_codes
from training.entropy import DESIGNS, Batch, ContextNet, Design, input_scale
from training.states import save

PACKETS = 32
"""In the pool that frames are drawn from."""
EXACT_SHARE = 0.3
"""Of the steps, at the end: rounded as the integers will be."""


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over 100 steps, then half a cosine down to a fiftieth of the peak."""
    course = min(1.0, step / steps)
    decay = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * course))
    return peak * min(1.0, (step + 1) / 100) * decay


class Trainer:
    """Network, optimiser and data; `state` and `restore` are all that a resumed run needs."""

    def __init__(
        self, model: Model, segments: list[Segment], design: Design, options: dict[str, Any]
    ) -> None:
        self.model, self.segments, self.design, self.options = model, segments, design, options
        torch.manual_seed(options["seed"])
        self.net = ContextNet(self.design, model.codebooks, model.tables)
        self.vectors = CodeVectors(model.codebooks.entries, input_scale(model.codebooks))
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1.0, betas=(0.9, 0.99))
        self.step = 0
        self.drawn: list[np.ndarray] = []

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def pool(self) -> None:
        """Packets of random segments at random levels; a resumed run goes on with other ones."""
        random = np.random.default_rng([self.options["seed"], self.step])
        packets: list[ChannelCodes] = []
        while len(packets) < PACKETS:
            segment = self.segments[random.integers(len(self.segments))]
            packets += [p for p in segment.packets(random) if p.counts.any()]
        self.packets = packets[:PACKETS]
        self.batch = Batch(self.packets, self.vectors, self.design)
        order = random.permutation(self.batch.frames)
        self.drawn = np.array_split(order, -(-len(order) // self.options["batch"]))

    def train_step(self) -> float:
        """One step; the mean bits of its codes."""
        if not self.drawn:
            self.pool()
        steps = self.options["steps"]
        self.net.exact = self.step >= (1 - EXACT_SHARE) * steps
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, steps, self.options["rate"])
        bits = self.net(self.batch.examples(self.drawn.pop()))
        self.optimizer.zero_grad(set_to_none=True)
        bits.backward()
        self.optimizer.step()
        self.step += 1
        return float(bits.detach())


def stage_bits(model: LearnedModel, segments: Sequence[Segment], seed: int) -> np.ndarray:
    """Sum of bits and number of codes [2, N] of held-out segments, by the exact model."""
    random = np.random.default_rng(seed)
    found = np.zeros((2, model.shape[0]))
    for segment in segments:
        for packet in segment.packets(random):
            found[0] += model.code_bits(packet).sum(0)
            found[1] += (np.arange(model.shape[0]) < packet.counts[:, None]).sum(0)
    return found


@click.command()
@click.option("--model", type=click.Path(path_type=Path), help="Checkpoint; default: the shipped.")
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus"))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/entropy"))
@click.option("--codes", type=click.Path(path_type=Path), help="Cache; default: <out>/codes.")
@click.option("--hours", default=2.0, help="Of corpus whose codes are cached.")
@click.option("--design", type=click.Choice(list(DESIGNS)), default="chains")
@click.option("--steps", default=15_000)
@click.option("--batch", default=128, help="Frames in a step, with all their codes.")
@click.option("--rate", default=2e-3, help="Peak learning rate.")
@click.option("--threads", default=1)
@click.option("--seed", default=1)
@click.option("--save-minutes", default=2.0)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def main(**options: Any) -> None:
    """Train for STEPS steps in all, resuming from <out>/state.pt."""
    torch.set_num_threads(options["threads"])
    out: Path = options["out"]
    out.mkdir(parents=True, exist_ok=True)
    model = load_checkpoint(options["model"])
    codes = options["codes"] or out / "codes"
    segments = cached_codes(Segment, model, options["corpus"], codes, 3600 * options["hours"])
    trainer = Trainer(model, segments, DESIGNS[options["design"]], options)
    if (out / "state.pt").exists():
        trainer.restore(torch.load(out / "state.pt", weights_only=True))
    train(trainer, out, options)
    held_out = [
        segment
        for kind in ("speech", "music")
        for segment in held_out_codes(model, options["corpus"], kind, 8)
    ]
    finish(trainer, held_out, out)


def train(trainer: Trainer, out: Path, options: dict[str, Any]) -> None:
    """Steps until the last, one line of log for every hundred, the state now and then."""
    bar = tqdm(total=options["steps"], initial=trainer.step, unit="step", disable=options["quiet"])
    saved, recent = time.monotonic(), []
    with (out / "log.jsonl").open("a") as log:
        while trainer.step < options["steps"]:
            recent.append(trainer.train_step())
            bar.update()
            if trainer.step % 100 == 0:
                row = {"step": trainer.step, "bits": round(float(np.mean(recent)), 4)}
                log.write(json.dumps(row | {"cpu": round(time.process_time())}) + "\n")
                log.flush()
                recent.clear()
            if time.monotonic() - saved > 60 * options["save_minutes"]:
                save(trainer.state(), out / "state.pt")
                saved = time.monotonic()
    save(trainer.state(), out / "state.pt")


def finish(trainer: Trainer, held_out: Sequence[Segment], out: Path) -> None:
    """Export, measure on what was held out, and write the tensors."""
    model = trainer.model
    tensors = trainer.net.export(model.codebooks, model.tables)
    tensors["mean_bits"] = np.zeros(model.codebooks.stages, dtype=np.uint16)
    bits, count = stage_bits(LearnedModel(tensors, model.codebooks.entries), held_out, seed=0)
    mean = np.where(count > 0, bits / np.maximum(count, 1), 10.0)
    tensors["mean_bits"] = np.rint(256 * mean).astype(np.uint16)
    save_file(tensors, out / "entropy.safetensors")
    saved = 100 * (1 - bits.sum() / count.sum() / 10)
    print(f"{out / 'entropy.safetensors'}: {saved:.1f}% of 10 bits a code saved, held out")
    print("bits by stage: " + " ".join(f"{value:.2f}" for value in mean))


if __name__ == "__main__":
    main()
