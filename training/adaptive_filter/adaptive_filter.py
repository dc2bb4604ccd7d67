"""The adaptive filter: a comb filter and band gains that a network sets, window by window.

Decoded sound is cut into windows of one hop, half a hop apart. With each window come the stretches
that lie one or more periods before and after it. The spectra of all of them are weighted by gains
per band and added: the comb filter attenuates what does not repeat itself, with a depth that
depends on frequency, and a common factor of all gains corrects the level of each band.

Docstrings state shapes with B clips, F hops and W = 2 F windows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacli.adaptive_filter.contrast import LEVEL, OFFSET, exponents
from nacli.adaptive_filter.inputs import LATE
from nacli.adaptive_filter.network import AROUND
from nacli.adaptive_filter.sizes import (
    AFTER,
    ENERGY_OFFSET,
    HALF,
    HOP,
    LEVEL_WINDOWS,
    MOST_BEFORE,
    NEIGHBOURS,
    OTHER_INPUTS,
    REACH,
    STEPS,
)
from nacli.adaptive_filter.windows import LAG_WINDOWS, START
from nacli.config import CODED_RATE
from nacli.dsp.filterbank import BANDS, bark_spectra
from nacli.networks.torch_engine import History
from nacli.networks.torch_engine.layers import CausalDepthwise

BUFFERS = ("pcm", "energies", "projected", "counts", "overlap", "lags")


@dataclass(frozen=True)
class FilterConfig:
    """Sizes of the filter's network.

    `features` is the width of the Decoder, `projected` what is kept of its features for each
    window, and `before` the number of periods before a window that the comb filter uses.
    """

    features: int = 384
    projected: int = 48
    width: int = 160
    hidden: int = 320
    blocks: int = 4
    kernel: int = 7
    before: int = 2

    def __post_init__(self) -> None:
        if not AFTER <= self.before <= MOST_BEFORE:
            raise ValueError(f"before is {self.before}, not {AFTER} to {MOST_BEFORE}")

    @property
    def shifted(self) -> int:
        """Number of stretches that are weighted, beside the window itself."""
        return self.before + AFTER

    @property
    def first_inputs(self) -> int:
        """Number of inputs that precede those of the shifted stretches."""
        return AROUND * (BANDS + self.projected)

    def to_json(self) -> dict[str, Any]:
        """Return the sizes by name."""
        return asdict(self)


class FilterInputs(NamedTuple):
    """What the filter takes: decoded samples [B, F * HOP], the Decoder's features
    [B, F, features], stage counts [B, F], and lags and strengths [B, W, 2] of the end of every half
    hop, delayed as `delay_periods` does."""

    pcm: Tensor
    features: Tensor
    counts: Tensor
    lags: Tensor
    strengths: Tensor


class Block(nn.Module):
    """A residual block of a depthwise convolution and two layers (Liu et al., 2022). Before
    training it is the identity."""

    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.mix = CausalDepthwise(width, kernel)
        self.norm = nn.LayerNorm(width)
        self.expand, self.reduce = nn.Linear(width, hidden), nn.Linear(hidden, width)
        nn.init.zeros_(self.reduce.weight)
        nn.init.zeros_(self.reduce.bias)

    def forward(self, x: Tensor, history: History) -> Tensor:
        return x + self.reduce(F.relu(self.expand(self.norm(self.mix(x, history)))))


class AdaptiveFilter(nn.Module):
    """The filter with its network. Its output is DELAY hops late; before training it changes
    nothing else."""

    def __init__(self, config: FilterConfig) -> None:
        super().__init__()
        self.config = config
        spectra = bark_spectra(HOP, CODED_RATE)
        self.window: Tensor
        self.band_weights: Tensor
        self.means: Tensor
        for name in ("window", "band_weights", "means"):
            values = torch.from_numpy(getattr(spectra, name))
            self.register_buffer(name, values, persistent=False)
        self.exponents: Tensor
        self.register_buffer("exponents", torch.from_numpy(exponents()), persistent=False)
        self.past = nn.ModuleDict({name: nn.Identity() for name in BUFFERS})  # keys of a History
        inputs = config.first_inputs + config.shifted * BANDS + OTHER_INPUTS
        self.project = nn.Linear(config.features, 2 * config.projected)
        self.enter = nn.Linear(inputs, config.width)
        self.layers = nn.ModuleList(
            Block(config.width, config.hidden, config.kernel) for _ in range(config.blocks)
        )
        self.leave = nn.Linear(config.width, (1 + config.shifted) * BANDS)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, inputs: FilterInputs, history: History, contrast: bool = False) -> Tensor:
        """Return the filtered samples [B, F * HOP], DELAY hops late. With `contrast`, spectra get
        the contrast that decoders give them. Training does without: reconstruction losses would
        make the network undo it."""
        pcm = history.extend(self.past["pcm"], inputs.pcm.unsqueeze(-1), REACH * HOP).squeeze(-1)
        windows = torch.arange(inputs.lags.shape[1], device=pcm.device)
        starts = START + HALF * windows
        positions = starts[:, None] + self._offsets(inputs.lags, history)
        positions = positions.unsqueeze(-1) + torch.arange(HOP, device=pcm.device)
        stretches = pcm.gather(1, positions.flatten(1)).view(positions.shape)
        spectra = torch.fft.rfft(stretches * self.window)  # [B, W, 1 + shifted, bins]
        parts = spectra.real.contiguous(), spectra.imag.contiguous()
        x = self.enter(self._network_inputs(inputs, pcm, starts, parts, history))
        for layer in self.layers:
            x = layer(x, history)
        gains = self._gains(self.leave(x)) @ self.band_weights
        real, imaginary = ((gains * part).sum(2) for part in parts)
        if contrast:
            levels = (real.square() + imaginary.square() + OFFSET).log()
            factors = (LEVEL * (levels @ self.exponents).exp()).clamp_max(1)
            real, imaginary = real * factors, imaginary * factors
        blocks = torch.fft.irfft(torch.complex(real, imaginary), HOP) * self.window
        before = history.extend(self.past["overlap"], blocks[..., HALF:], 1)[:, :-1]
        return (before + blocks[..., :HALF]).flatten(1)

    def _offsets(self, lags: Tensor, history: History) -> Tensor:
        """Return the offsets [B, W, 1 + shifted] in samples of a window's stretches.

        Those before a window go from period to period, each with the lag where it starts; those
        after it are multiples of one lag.
        """
        before, after = lags.unbind(-1)
        joined = history.extend(self.past["lags"], before.unsqueeze(-1), LAG_WINDOWS).squeeze(-1)
        windows = torch.arange(LAG_WINDOWS, joined.shape[1], device=lags.device)
        offset = torch.zeros_like(before)
        offsets = [offset]
        for number in range(1, self.config.before + 1):
            at = (windows + (offset / HALF).round().long()).clamp_min(0)
            offset = offset + joined.gather(1, at)
            offsets.append(offset)
            if number <= AFTER:
                offsets.append(number * after)
        return torch.stack(offsets, -1)

    def _gains(self, raw: Tensor) -> Tensor:
        """Return the gains [B, W, 1 + shifted, BANDS] of all stretches from the network's outputs.

        Before the level is applied they sum to 1, so that the comb filter keeps what repeats
        itself.
        """
        raw = raw.unflatten(-1, (-1, BANDS))
        level, shifted = raw[..., :1, :].clamp(-4, 2).exp(), raw[..., 1:, :]
        own = 1 - shifted.sum(-2, keepdim=True)
        return torch.cat([own, shifted], -2) * level

    def _network_inputs(
        self,
        inputs: FilterInputs,
        pcm: Tensor,
        starts: Tensor,
        spectra: tuple[Tensor, Tensor],
        history: History,
    ) -> Tensor:
        """Return the inputs [B, W, n] of the network; `pcm` are the samples with their context."""
        counts = inputs.counts.repeat_interleave(2, 1)
        counts = history.extend(self.past["counts"], counts, LATE)[:, : len(starts), None]
        columns = [
            self._levels(pcm, starts + NEIGHBOURS * HALF, history),
            self._projected(inputs.features, history),
            self._correlations(*spectra),
            self._course(pcm, starts - HALF),
            counts.to(pcm) / 8,
            (inputs.lags.abs() + 1).log2() / 4 - 1.5,
            inputs.strengths,
        ]
        return torch.cat(columns, -1)

    def _levels(self, pcm: Tensor, starts: Tensor, history: History) -> Tensor:
        """Return relative log energies [B, W, n] of the bands of a window and its NEIGHBOURS, of
        which the last starts at `starts`."""
        blocks = pcm[:, starts[:, None] + torch.arange(HOP, device=pcm.device)]
        spectra = torch.fft.rfft(blocks * self.window)
        energies = (spectra.real.square() + spectra.imag.square()) @ self.means + ENERGY_OFFSET
        length = LEVEL_WINDOWS + NEIGHBOURS
        energies = history.extend(self.past["energies"], energies, length)
        mean = energies.mean(-1).unfold(1, length + 1, 1).mean(-1)
        around = energies[:, LEVEL_WINDOWS - NEIGHBOURS :].unfold(1, AROUND, 1)
        return (around / mean[:, :, None, None]).clamp_min(1e-6).log().flatten(2) / 4

    def _projected(self, features: Tensor, history: History) -> Tensor:
        """Return projections [B, W, n] of the Decoder's features of NEIGHBOURS half hops before
        and after that before a window's centre."""
        own = self.project(features).unflatten(-1, (2, -1)).flatten(1, 2)
        joined = history.extend(self.past["projected"], own, LATE + NEIGHBOURS)
        around = joined[:, : own.shape[1] + 2 * NEIGHBOURS].unfold(1, AROUND, 1)
        return around.flatten(2)

    def _correlations(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Return the normalised correlations [B, W, n] of the shifted stretches with the window,
        by band, from -1 to 1."""
        energies = (real.square() + imaginary.square()) @ self.means + ENERGY_OFFSET
        products = real[:, :, 1:] * real[:, :, :1] + imaginary[:, :, 1:] * imaginary[:, :, :1]
        norms = (energies[:, :, 1:] * energies[:, :, :1]).sqrt()
        return (products @ self.means / norms).flatten(2)

    @staticmethod
    def _course(pcm: Tensor, starts: Tensor) -> Tensor:
        """Return relative log energies [B, W, 4 * STEPS] over time of the four half hops around a
        window's centre."""
        blocks = pcm[:, starts[:, None] + torch.arange(4 * HALF, device=pcm.device)]
        energies = blocks.unflatten(-1, (4 * STEPS, -1)).square().mean(-1) + ENERGY_OFFSET
        return (energies / energies.mean(-1, keepdim=True)).clamp_min(1e-5).log() / 4
