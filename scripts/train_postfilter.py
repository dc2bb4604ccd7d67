"""Train the post-filter of a checkpoint and put it there: gains of bands for what it decodes.

    python scripts/train_postfilter.py --corpus data/corpus

Codes of the corpus, as the encoder finds them and with the stages that packets get, go through
the checkpoint's Decoder and the harmonic filter. The post-filter then learns gains that bring
compressed magnitudes of this nearer to the original's, each Bark counting alike. Codes and entropy
model stay as they are, though files made before name another model. Takes half an hour of one core
and 6 GB of memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nacli.checkpoint import POSTFILTER, Tensors, default_path, load_checkpoint
from nacli.config import ModelConfig
from nacli.harmonics import HarmonicFilter
from nacli.postfilter import (
    AFTER,
    BANDS,
    BEFORE,
    INSIDE,
    LEAST,
    MOST,
    Gains,
    Spectra,
    of_spectra,
    with_counts,
)
from training.codec import Codec, autocast_blocks, has_bf16_units
from training.coded import LEAD, CodedSampler
from training.codes import Recording, cached_codes
from training.states import rewrite_checkpoint

BATCH, FRAMES = 10, 90
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


def examples(codec: Codec, sampler: CodedSampler, spectra: Spectra, clips: int) -> Examples:
    """From so many segments."""
    hop, ahead = codec.config.hop, codec.config.lookahead
    rows: list[tuple[Tensor, ...]] = []
    for _ in tqdm(range(clips // BATCH), desc="decoding", disable=None):
        batch = sampler.batch(BATCH)
        with torch.no_grad():
            decoded = codec.decode(*batch.coded)[0][:, LEAD * hop :].numpy()
        delay = HarmonicFilter.DELAY * hop
        filtered = HarmonicFilter(BATCH, hop).process(np.pad(decoded, ((0, 0), (0, delay))))
        counts = batch.counts[:, LEAD - ahead : batch.counts.shape[1] - ahead]
        for clip, sound, stages in zip(
            batch.target.numpy(), filtered[:, delay:], counts.numpy(), strict=True
        ):
            rows.append(_of_clip(spectra, clip, sound, stages))
    return Examples(*(torch.cat(column) for column in zip(*rows, strict=True)))


def _of_clip(
    spectra: Spectra, original: np.ndarray, decoded: np.ndarray, counts: np.ndarray
) -> tuple[Tensor, ...]:
    """Rows of one clip, whose hops had so many stages; in half precision, as there are many."""
    level = max(1e-3, float(np.square(original).mean()) ** 0.5)
    first, second = spectra.of(original), spectra.of(decoded)
    seen = with_counts(spectra.seen(second), of_spectra(counts))
    pair = (np.abs(x[INSIDE]) / level for x in (first, second))
    return tuple(torch.from_numpy(x).half() for x in (seen, *pair))


class GainNet(nn.Module):
    """The network of `nacli.postfilter.Gains` while it trains; gains of 1 at first."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        inputs = (BEFORE + 1 + AFTER) * BANDS + 1
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, BANDS)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, seen: Tensor) -> Tensor:
        x = torch.relu(self.second(torch.relu(self.first(seen))))
        return self.last(x).clamp(LEAST, MOST)

    @torch.no_grad()
    def export(self) -> Tensors:
        """The tensors of `Gains`."""
        return {
            f"{name}.{kind}": value.half().numpy()
            for name in Gains.LAYERS
            for kind, value in (
                ("weight", getattr(self, name).weight.T.contiguous()),
                ("bias", getattr(self, name).bias),
            )
        }


class Distance:
    """Of compressed magnitudes, in shares of what it is without gains."""

    def __init__(self, spectra: Spectra, config: ModelConfig) -> None:
        self._spread = torch.from_numpy(spectra.spread)
        frequencies = torch.arange(self._spread.shape[1]) * config.sample_rate / config.hop
        slope = (1960 + frequencies) ** -2
        self._shares = slope / slope.mean()

    def __call__(self, gains: Tensor, batch: Examples) -> Tensor:
        changed = batch.decoded * (gains @ self._spread).exp()
        return self._error(batch.original, changed) / self._error(batch.original, batch.decoded)

    def _error(self, first: Tensor, second: Tensor) -> Tensor:
        one, other = ((x.square() + FLOOR) ** (POWER / 2) for x in (first, second))
        return ((one - other).square() * self._shares).mean()


def train(
    net: GainNet, data: Examples, held_out: int, distance: Distance, steps: int, rate: float
) -> None:
    """Adam over random rows but the first ones, the rate falling to nothing."""
    optimizer = torch.optim.AdamW(net.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in tqdm(range(steps), desc="training", disable=None):
        batch = data.take(torch.randint(held_out, len(data.seen), (2048,)))
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16_units("cpu")):
            gains = net(batch.seen)
        loss = distance(gains.float(), batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()


@click.command()
@click.option("--model", type=click.Path(path_type=Path), help="Checkpoint; default: the shipped.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: replace the checkpoint.")
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("data/corpus"))
@click.option("--clips", default=12_000, help="Segments of 1.2 s to learn from.")
@click.option("--steps", default=20_000)
@click.option("--rate", default=2e-3, help="Peak learning rate.")
@click.option("--hidden", default=512, help="Width of the network.")
@click.option("--codes", type=click.Path(path_type=Path), default=Path("runs/codes"))
@click.option("--code-hours", default=6.6, help="Of the corpus, coded once and kept in CODES.")
@click.option("--music", default=0.2, help="Share of music in it.")
def main(
    model: Path | None,
    out: Path | None,
    corpus: Path,
    clips: int,
    steps: int,
    rate: float,
    hidden: int,
    codes: Path,
    code_hours: float,
    music: float,
) -> None:
    """Write the checkpoint, and print what is left of the distance to segments not learned from."""
    torch.manual_seed(1)
    path = model or default_path()
    loaded = load_checkpoint(path)
    codec = Codec(loaded.config)
    codec.adopt(loaded)
    codec.eval()
    autocast_blocks(codec, "cpu", None)
    config = loaded.config
    spectra = Spectra(config.hop, config.sample_rate)
    recordings = cached_codes(Recording, loaded, corpus, codes, 3600 * code_hours, music)
    sampler = CodedSampler(recordings, loaded.codebooks, config, FRAMES)
    sampler.random = np.random.default_rng(3)
    data = examples(codec, sampler, spectra, clips)
    held_out = len(data.seen) // 20
    net, distance = GainNet(hidden), Distance(spectra, config)
    train(net, data, held_out, distance, steps, rate)
    with torch.no_grad():
        batch = data.take(slice(0, held_out, 10))
        left = float(distance(net(batch.seen), batch))
    kept = {n: t for n, t in loaded.tensors.items() if not n.startswith(POSTFILTER)}
    made = {POSTFILTER + name: tensor for name, tensor in net.export().items()}
    out = out or path
    rewrite_checkpoint(path, out, kept | made)
    print(f"{out}: {out.stat().st_size} bytes; {100 * left:.1f}% of the distance is left")


if __name__ == "__main__":
    main()
