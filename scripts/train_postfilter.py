"""Train the post-filter of a checkpoint and put it there: gains of bands for what it decodes.

    python scripts/train_postfilter.py --corpus data/corpus

Segments of the corpus go through the checkpoint's networks, with the stages that packets get, and
through the harmonic filter, and get their corrections. The post-filter then learns gains that bring
compressed magnitudes of this nearer to the original's, each Bark counting alike. Codes and entropy
model stay as they are, though files made before name another model. Takes eight minutes of one
core and 5 GB of memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from nacli.checkpoint import POSTFILTER, Model, default_path, load_checkpoint
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS, Spectra, bark_spectra
from nacli.encoder.correction_search import search_corrections
from nacli.envelope.corrections import (
    correction_targets,
    dequantize_corrections,
    span_frames,
)
from nacli.envelope.post_filter import (
    AFTER,
    BEFORE,
    INSIDE,
    LEAST,
    MOST,
    GainNetwork,
    neighbour_levels,
    per_spectrum,
    smooth,
    with_counts,
)
from nacli.tensor_file import Tensors
from training.codec import frozen_codec
from training.decoded_segments import Heard, heard_clips
from training.options import retrain_options
from training.states import rewrite_checkpoint

POWER, FLOOR = 0.3, 1e-4
"""Of compressed magnitudes, and of the energies, of sound at unit level, that count as nothing."""


@dataclass(frozen=True)
class Examples:
    """What gains depend on [N, inputs], and the magnitudes of original and decoded sound at their
    places, by the level of the original [N, bins]."""

    seen: Tensor
    original: Tensor
    decoded: Tensor

    def take(self, rows: Tensor | slice) -> Examples:
        return Examples(*(x[rows].float() for x in (self.seen, self.original, self.decoded)))


def examples(model: Model, spectra: Spectra, clips: Iterable[Heard]) -> Examples:
    """From segments."""
    rows = [_of_clip(model, spectra, clip) for clip in clips]
    return Examples(*(torch.cat(column) for column in zip(*rows, strict=True)))


def _of_clip(model: Model, spectra: Spectra, clip: Heard) -> tuple[Tensor, ...]:
    """Rows of one clip; in half precision, as there are many."""
    level = max(1e-3, float(np.square(clip.original).mean()) ** 0.5)
    first, second = spectra.analyze(clip.original), spectra.analyze(clip.decoded)
    stages, corrections = per_spectrum(clip.counts)[INSIDE], per_spectrum(_corrections(model, clip))
    inputs = with_counts(neighbour_levels(spectra.energies(second), corrections), stages)
    changes = np.exp(smooth(corrections)) @ spectra.band_weights
    pair = (np.abs(first[INSIDE]), np.abs(second[INSIDE]) * changes)
    return tuple(torch.from_numpy(x).half() for x in (inputs, *(x / level for x in pair)))


def _corrections(model: Model, clip: Heard) -> NDArray[np.float32]:
    """Of each hop [F, BANDS], as encoders would choose them."""
    config, books, frames = model.config, model.codebooks.corrections, len(clip.counts)
    if books is None:
        return np.zeros((frames, BANDS), dtype=np.float32)
    pair = (clip.original_energies, clip.decoded_energies)
    targets = correction_targets(*pair, clip.levels, clip.counts, 0, model.predictor, config)
    tables = model.entropy.corrections
    choices = search_corrections(targets, books, tables, np.ones(1, np.float32))
    codes = (choices.codes[0], choices.counts[0])
    corrections = dequantize_corrections(*codes, books, targets.predict)
    return corrections.repeat(span_frames(clip.counts, config), axis=0)[:frames]


class GainNet(nn.Module):
    """The network of `post_filter.GainNetwork` while it trains; gains of 1 at first."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        inputs = (BEFORE + 1 + AFTER) * BANDS + 1
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, BANDS)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        x = torch.relu(self.second(torch.relu(self.first(inputs))))
        return self.last(x).clamp(LEAST, MOST)

    @torch.no_grad()
    def export(self) -> Tensors:
        """The tensors of `GainNetwork`."""
        return {
            f"{name}.{kind}": value.half().numpy()
            for name in GainNetwork.LAYERS
            for kind, value in (
                ("weight", getattr(self, name).weight.T.contiguous()),
                ("bias", getattr(self, name).bias),
            )
        }


class Distance:
    """Of compressed magnitudes, in shares of what it is without gains."""

    def __init__(self, spectra: Spectra, config: ModelConfig) -> None:
        self._spread = torch.from_numpy(spectra.band_weights)
        frequencies = torch.arange(self._spread.shape[1]) * config.sample_rate / config.hop
        slope = (1960 + frequencies) ** -2
        self._shares = slope / slope.mean()

    def __call__(self, gains: Tensor, batch: Examples) -> Tensor:
        changed = batch.decoded * (gains @ self._spread).exp()
        return self._error(batch.original, changed) / self._error(batch.original, batch.decoded)

    def _error(self, first: Tensor, second: Tensor) -> Tensor:
        one, other = ((x.square() + FLOOR) ** (POWER / 2) for x in (first, second))
        return ((one - other).square() * self._shares).mean()


def train(net: GainNet, data: Examples, distance: Distance, steps: int, rate: float) -> None:
    """Adam over random rows, the rate falling to nothing."""
    optimizer = torch.optim.AdamW(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in tqdm(range(steps), desc="training", disable=None):
        batch = data.take(torch.randint(len(data.seen), (2048,)))
        loss = distance(net(batch.seen), batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()


@click.command()
@retrain_options(clips=4500, steps=12_000)
def main(
    model: Path | None,
    out: Path | None,
    corpus: Path,
    clips: int,
    steps: int,
    rate: float,
    hidden: int,
) -> None:
    """Write the checkpoint, and print what is left of the distance to segments not learned from."""
    torch.manual_seed(1)
    path = model or default_path()
    loaded = load_checkpoint(path)
    config = loaded.config
    spectra = bark_spectra(config.hop, config.sample_rate)
    data = examples(loaded, spectra, heard_clips(frozen_codec(loaded), corpus, 9, clips))
    held_out = len(data.seen) // 20
    net, distance = GainNet(hidden), Distance(spectra, config)
    train(net, data.take(slice(held_out, None)), distance, steps, rate)
    with torch.no_grad():
        batch = data.take(slice(held_out))
        left = float(distance(net(batch.seen), batch))
    kept = {n: t for n, t in loaded.tensors.items() if not n.startswith(POSTFILTER)}
    made = {POSTFILTER + name: tensor for name, tensor in net.export().items()}
    out = out or path
    rewrite_checkpoint(path, out, kept | made)
    print(f"{out}: {out.stat().st_size} bytes; {100 * left:.1f}% of the distance is left")


if __name__ == "__main__":
    main()
