"""Train what a checkpoint knows of corrections: what is expected of them, their codebooks and tables.

    python scripts/train_corrections.py --corpus data/corpus

Segments of the corpus go through the checkpoint's networks, with the stages that packets get, and
through the harmonic filter. A network learns to expect the corrections that they need, knowing the levels
that were decoded and the correction before as decoders have it; the codebooks follow what it leaves. Then
the tables are counted anew. Codes of latents and the learned entropy model stay as they are, though
files made before name another model. Takes fifteen minutes of one core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from export import correction_table, correction_vectors
from nacli.checkpoint import PREDICTOR, default_path, load_checkpoint
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS, band_corrections
from nacli.envelope.corrections import correction_lambdas, span_ends, span_frames, span_stages
from nacli.envelope.predictor import LEVELS, LearnedPredictor, with_stages
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.codec import frozen_codec
from training.corpus import Sampler, read_corpus
from training.decoded_segments import FRAMES, Heard, heard_clips
from training.options import retrain_options
from training.quantizer import CODE_BITS, CorrectionQuantizer
from training.schedule import codebook_decay
from training.states import rewrite_checkpoint
from training.tables import fit_tables

BATCH, ROWS = 256, 1024
"""Clips whose spans are quantised at a time, and spans of a step."""
ROUNDS = 8
WEIGHT = 0.3
"""Power of prices by which errors count for less where bits are dear."""


@dataclass(frozen=True)
class Clips:
    """Clips with spans of one length: what is known of each span [N, S, inputs], the corrections that it
    needs [N, S, BANDS], the price of a bit [N, S], and whether it sounds [N, S]."""

    known: Tensor
    wanted: Tensor
    prices: Tensor
    sounds: Tensor

    def take(self, rows: Tensor | slice) -> Clips:
        return Clips(self.known[rows], self.wanted[rows], self.prices[rows], self.sounds[rows])


def clips_by_span(clips: Iterable[Heard], config: ModelConfig) -> list[Clips]:
    """Those with long spans and those with short ones."""
    rows: dict[int, list[tuple[np.ndarray, ...]]] = {}
    for clip in clips:
        span = span_frames(clip.counts, config)
        wanted = band_corrections(clip.original_energies, clip.decoded_energies, span)
        stages = span_stages(clip.counts, span, 0)
        known = with_stages(clip.levels[span_ends(FRAMES, span)], stages, span)
        rows.setdefault(span, []).append((known, wanted, correction_lambdas(stages), stages > 0))
    return [
        Clips(*(torch.from_numpy(np.stack(column)) for column in zip(*found, strict=True)))
        for found in rows.values()
    ]


class Rows(NamedTuple):
    """Spans that sound: what is known of them [M, inputs], the corrections before them and those that
    they need [M, BANDS], and how much each counts [M]."""

    known: Tensor
    before: Tensor
    wanted: Tensor
    weights: Tensor

    def take(self, rows: Tensor) -> Rows:
        return Rows(*(column[rows] for column in self))


class PredictorNet(nn.Module):
    """The network of `nacli.envelope.predictor.LearnedPredictor` while it trains."""

    def __init__(self, hidden: int, memory: float) -> None:
        super().__init__()
        self.first = nn.Linear(LEVELS + 2 + BANDS, hidden)
        self.second, self.last = nn.Linear(hidden, hidden), nn.Linear(hidden, BANDS)
        self.memory = nn.Parameter(torch.full((BANDS,), memory))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, known: Tensor, before: Tensor) -> Tensor:
        """The corrections [..., BANDS] that are expected after those before."""
        x = torch.relu(self.first(torch.cat([known, before], -1)))
        return self.last(torch.relu(self.second(x))) + self.memory * before

    @torch.no_grad()
    def export(self) -> Tensors:
        """The tensors of `LearnedPredictor`."""
        levels, before = self.first.weight.T.split([LEVELS + 2, BANDS])
        tensors = {"levels": levels, "before": before, "bias": self.first.bias}
        for name in ("second", "last"):
            layer: nn.Linear = getattr(self, name)
            tensors |= {f"{name}.weight": layer.weight.T, f"{name}.bias": layer.bias}
        tensors["memory"] = self.memory
        return {name: tensor.contiguous().half().numpy() for name, tensor in tensors.items()}


class Learner:
    """The network and the codebooks that hold what it leaves, in turns: corrections as encoders choose
    them are what the network is told of the span before."""

    def __init__(
        self, net: PredictorNet, books: CorrectionQuantizer, steps: int, rate: float
    ) -> None:
        self.net, self.books, self.rate = net, books, rate
        self.optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)

    def learn(self, groups: list[Clips], steps: int) -> None:
        """Steps of the network in ROUNDS, the rate falling to nothing."""
        for _ in tqdm(range(ROUNDS), desc="training", disable=None):
            self.books.decay = codebook_decay(float(self.schedule.get_last_lr()[0]) / self.rate)
            spans = [self._spans(clips) for clips in groups]
            rows = Rows(*(torch.cat(column) for column in zip(*spans, strict=True)))
            for _ in range(steps // ROUNDS):
                self._step(rows.take(torch.randint(len(rows.known), (ROWS,))))

    def _spans(self, clips: Clips) -> Rows:
        """The spans of clips, in batches that the codebooks follow."""
        order = torch.randperm(len(clips.known))
        found = [self._of(clips.take(part)) for part in order.split(BATCH)]
        return Rows(*(torch.cat(column) for column in zip(*found, strict=True)))

    def _of(self, clips: Clips) -> Rows:
        before = _before(self.quantized(clips)[0])
        weights = clips.sounds * clips.prices**-WEIGHT
        columns = (clips.known, before, clips.wanted, weights)
        return Rows(*(column.flatten(0, 1)[clips.sounds.flatten()] for column in columns))

    def _step(self, rows: Rows) -> None:
        errors = (self.net(rows.known, rows.before) - rows.wanted).square().sum(-1)
        self.optimizer.zero_grad(set_to_none=True)
        ((rows.weights * errors).sum() / rows.weights.sum()).backward()
        self.optimizer.step()
        self.schedule.step()

    @torch.no_grad()
    def quantized(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """The corrections [N, S, BANDS] that spans get, and how many codes [N, S] they take; codebooks
        that learn follow."""

        def expect(span: int, before: Tensor) -> Tensor:
            expected: Tensor = self.net(clips.known[:, span], before)
            return expected

        return self.books.follow(clips.wanted, clips.prices, expect)

    @torch.no_grad()
    def left(self, clips: Clips) -> tuple[float, float, float]:
        """Of spans that sound: the mean squared error of what is expected; codes a span; and bits
        a span, what its codes take and what its error is worth."""
        corrections, counts = self.quantized(clips)
        expected = self.net(clips.known, _before(corrections))
        errors = [(x - clips.wanted).square().sum(-1) for x in (expected, corrections)]
        costs = CODE_BITS * counts + errors[1] / clips.prices
        means = [float(x.float()[clips.sounds].mean()) for x in (errors[0], counts, costs)]
        return means[0], means[1], means[2]


def _before(corrections: Tensor) -> Tensor:
    """Of each span, the corrections [N, S, BANDS] of the one before; nothing before the first."""
    return nn.functional.pad(corrections, (0, 0, 1, 0))[:, :-1]


@click.command()
@retrain_options(clips=9000, steps=6000)
@click.option("--packets", default=1500, help="Seconds of corpus to count the tables over.")
def main(
    model: Path | None,
    out: Path | None,
    corpus: Path,
    clips: int,
    steps: int,
    rate: float,
    hidden: int,
    packets: int,
) -> None:
    """Write the checkpoint, and print what is left of corrections in segments not learned from."""
    torch.manual_seed(1)
    path = model or default_path()
    out = out or path
    loaded = load_checkpoint(path)
    config = loaded.config
    codec = frozen_codec(loaded, BATCH * FRAMES)
    groups = clips_by_span(heard_clips(codec, corpus, 11, clips), config)
    parts = [len(group.known) // 20 for group in groups]
    learner = Learner(
        PredictorNet(hidden, config.correction_memory), codec.corrections, steps, rate
    )
    learner.books.train()
    taught = [group.take(slice(part, None)) for group, part in zip(groups, parts, strict=True)]
    learner.learn(taught, steps)
    learner.books.eval()
    for group, part in zip(groups, parts, strict=True):
        error, codes, bits = learner.left(group.take(slice(part)))
        span = -(-FRAMES // group.known.shape[1])
        print(f"spans of {span}: expected with a squared error of {error:.2f}; {codes:.2f} codes;")
        print(f"  {bits:.1f} bits, with what errors are worth")
    books = Codebooks.from_vectors(learner.books.codebooks.numpy())
    codebooks = Codebooks(loaded.codebooks.entries, loaded.codebooks.scales, books)
    network = learner.net.export()
    made = {PREDICTOR + name: tensor for name, tensor in network.items()}
    made |= correction_vectors(codebooks)
    sampler, prediction = (
        Sampler(read_corpus(corpus), 150 * config.hop, 5),
        LearnedPredictor(network),
    )
    tables = fit_tables(config, loaded.networks, codebooks, prediction, sampler, packets)
    rewrite_checkpoint(path, out, loaded.tensors | made | correction_table(tables.corrections))
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
