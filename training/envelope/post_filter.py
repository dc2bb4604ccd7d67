"""Training of the post-filter of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from nacli.checkpoint import POSTFILTER, load_checkpoint
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS, Spectra, bark_spectra
from nacli.envelope.post_filter import AFTER, BEFORE, LEAST, MOST, GainNetwork
from nacli.tensor_file import Tensors
from training.corpus.decoded_segments import decode_segments
from training.envelope.post_filter_data import GainExamples, gain_examples
from training.frozen_codec import frozen_codec
from training.loop.states import rewrite_checkpoint
from training.losses.spectra import COMPRESSION, FLOOR, bark_weights

ROWS = 2048
"""Examples of a step."""
HELD_OUT = 20
"""One in this number of examples is not learned from."""


class GainNet(nn.Module):
    """The network of `nacli.envelope.post_filter.GainNetwork` while it trains. Its initial gains
    are 1."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        inputs = (BEFORE + 1 + AFTER) * BANDS + 1
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, BANDS)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the gains [N, BANDS], in natural logarithms."""
        x = torch.relu(self.second(torch.relu(self.first(inputs))))
        return self.last(x).clamp(LEAST, MOST)

    @torch.no_grad()
    def export(self) -> Tensors:
        """Return the tensors of `GainNetwork`."""
        return {
            f"{name}.{kind}": value.half().numpy()
            for name in GainNetwork.LAYERS
            for kind, value in (
                ("weight", getattr(self, name).weight.T.contiguous()),
                ("bias", getattr(self, name).bias),
            )
        }


class CompressedDistance:
    """Squared distance of compressed magnitudes, relative to the distance without gains."""

    def __init__(self, spectra: Spectra, config: ModelConfig) -> None:
        self._spread = torch.from_numpy(spectra.band_weights)
        frequencies = torch.arange(self._spread.shape[1]) * config.sample_rate / config.hop
        self._weights = bark_weights(frequencies)

    def __call__(self, gains: Tensor, batch: GainExamples) -> Tensor:
        """Return the distance that gains [N, BANDS] leave."""
        changed = batch.decoded * (gains @ self._spread).exp()
        return self._error(batch.original, changed) / self._error(batch.original, batch.decoded)

    def _error(self, first: Tensor, second: Tensor) -> Tensor:
        one, other = ((x.square() + FLOOR) ** (COMPRESSION / 2) for x in (first, second))
        return ((one - other).square() * self._weights).mean()


def train_gains(
    net: GainNet, data: GainExamples, distance: CompressedDistance, steps: int, rate: float
) -> None:
    """Train on random rows; the rate falls to zero."""
    optimizer = torch.optim.AdamW(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in tqdm(range(steps), desc="training", disable=None):
        batch = data.take(torch.randint(len(data.inputs), (ROWS,)))
        loss = distance(net(batch.inputs), batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()


def train_post_filter(path: Path, out: Path, options: dict[str, Any]) -> None:
    """Write the checkpoint at `path` to `out` with a new post-filter, and print the distance that
    it leaves on examples that were not learned from.

    `options` has corpus, clips, steps, rate and hidden.
    """
    torch.manual_seed(1)
    model = load_checkpoint(path)
    config = model.config
    spectra = bark_spectra(config.hop, config.sample_rate)
    segments = decode_segments(frozen_codec(model), options["corpus"], 9, options["clips"])
    data = gain_examples(model, spectra, segments)
    held_out = len(data.inputs) // HELD_OUT
    net, distance = GainNet(options["hidden"]), CompressedDistance(spectra, config)
    train_gains(net, data.take(slice(held_out, None)), distance, options["steps"], options["rate"])
    with torch.no_grad():
        batch = data.take(slice(held_out))
        left = float(distance(net(batch.inputs), batch))
    kept = {n: t for n, t in model.tensors.items() if not n.startswith(POSTFILTER)}
    tensors = {POSTFILTER + name: tensor for name, tensor in net.export().items()}
    rewrite_checkpoint(path, out, kept | tensors)
    print(f"{out}: {out.stat().st_size} bytes; {100 * left:.1f}% of the distance is left")
