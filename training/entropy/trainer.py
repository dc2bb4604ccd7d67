"""Training of the learned entropy model on cached codes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from tqdm import tqdm

from nacli.checkpoint import Model, load_checkpoint
from nacli.entropy import ChannelCodes, LearnedModel
from nacli.entropy.context import CodeVectors
from training.corpus.code_cache import CodedSegment, cached_codes, held_out_codes
from training.entropy.design import DESIGNS, Design
from training.entropy.examples import PacketBatch, input_scale
from training.entropy.network import ContextNet
from training.loop.schedule import learning_rate
from training.loop.states import save_state

PACKETS = 32
"""Packets in the pool that frames are drawn from."""
EXACT_SHARE = 0.3
"""Share of the steps, at the end, that round as the integer network does."""
WARMUP = 100
"""Steps of linear warm-up."""
PLAIN_BITS = 10.0
"""Bits of a code without an entropy model."""


class EntropyTrainer:
    """Network, optimiser and data; a resumed run needs only `state`."""

    def __init__(
        self, model: Model, segments: list[CodedSegment], design: Design, options: dict[str, Any]
    ) -> None:
        self.model, self.segments, self.design, self.options = model, segments, design, options
        torch.manual_seed(options["seed"])
        self.net = ContextNet(self.design, model.codebooks, model.tables)
        self.vectors = CodeVectors(model.codebooks.entries, input_scale(model.codebooks))
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1.0, betas=(0.9, 0.99))
        self.step = 0
        self.frame_groups: list[np.ndarray] = []

    def state(self) -> dict[str, Any]:
        """Return all that a resumed training needs."""
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def draw_pool(self) -> None:
        """Draw packets of random segments at random levels; a resumed run draws other ones."""
        random = np.random.default_rng([self.options["seed"], self.step])
        packets: list[ChannelCodes] = []
        while len(packets) < PACKETS:
            segment = self.segments[random.integers(len(self.segments))]
            packets += [p for p in segment.packets(random) if p.counts.any()]
        self.packets = packets[:PACKETS]
        self.batch = PacketBatch(self.packets, self.vectors, self.design)
        order = random.permutation(self.batch.frames)
        self.frame_groups = np.array_split(order, -(-len(order) // self.options["batch"]))

    def train_step(self) -> float:
        """Make a step and return the mean bits of its codes."""
        if not self.frame_groups:
            self.draw_pool()
        steps = self.options["steps"]
        self.net.exact = self.step >= (1 - EXACT_SHARE) * steps
        progress = min(1.0, self.step / steps)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, progress, self.options["rate"], warmup=WARMUP)
        bits = self.net(self.batch.examples(self.frame_groups.pop()))
        self.optimizer.zero_grad(set_to_none=True)
        bits.backward()
        self.optimizer.step()
        self.step += 1
        return float(bits.detach())


def train_entropy_model(options: dict[str, Any]) -> None:
    """Train, resuming from `<out>/state.pt`, and write `<out>/entropy.safetensors`."""
    out: Path = options["out"]
    out.mkdir(parents=True, exist_ok=True)
    model = load_checkpoint(options["model"])
    codes = options["codes"] or out / "codes"
    segments = cached_codes(CodedSegment, model, options["corpus"], codes, 3600 * options["hours"])
    trainer = EntropyTrainer(model, segments, DESIGNS[options["design"]], options)
    if (out / "state.pt").exists():
        trainer.restore(torch.load(out / "state.pt", weights_only=True))
    run_steps(trainer, out, options)
    held_out = [
        segment
        for kind in ("speech", "music")
        for segment in held_out_codes(model, options["corpus"], kind, 8)
    ]
    export_model(trainer, held_out, out)


def run_steps(trainer: EntropyTrainer, out: Path, options: dict[str, Any]) -> None:
    """Make all steps, with a line in the log for every hundred; save the state now and then."""
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
                save_state(trainer.state(), out / "state.pt")
                saved = time.monotonic()
    save_state(trainer.state(), out / "state.pt")


def export_model(trainer: EntropyTrainer, held_out: Sequence[CodedSegment], out: Path) -> None:
    """Write the integer network, and print how many bits it saves on held-out segments."""
    model = trainer.model
    tensors = trainer.net.export(model.codebooks, model.tables)
    tensors["mean_bits"] = np.zeros(model.codebooks.stages, dtype=np.uint16)
    bits, count = stage_bits(LearnedModel(tensors, model.codebooks.entries), held_out, seed=0)
    mean = np.where(count > 0, bits / np.maximum(count, 1), PLAIN_BITS)
    tensors["mean_bits"] = np.rint(256 * mean).astype(np.uint16)
    save_file(tensors, out / "entropy.safetensors")
    saved = 100 * (1 - bits.sum() / count.sum() / PLAIN_BITS)
    print(f"{out / 'entropy.safetensors'}: saves {saved:.1f}% of 10 bits a code, held out")
    print("bits by stage: " + " ".join(f"{value:.2f}" for value in mean))


def stage_bits(model: LearnedModel, segments: Sequence[CodedSegment], seed: int) -> np.ndarray:
    """Return the sum of bits and the number of codes of each stage [2, N], by the integer
    model."""
    random = np.random.default_rng(seed)
    sums = np.zeros((2, model.shape[0]))
    for segment in segments:
        for packet in segment.packets(random):
            sums[0] += model.code_bits(packet).sum(0)
            sums[1] += (np.arange(model.shape[0]) < packet.counts[:, None]).sum(0)
    return sums
