"""The path from codes to the adaptive filter in torch: Decoder, DC blocker and envelope
corrections, so that the Decoder can be trained together with the filter behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nacli.adaptive_filter.sizes import HALF, HOP
from nacli.checkpoint import Model
from nacli.config import CODED_RATE
from nacli.dsp.filterbank import bark_spectra
from nacli.envelope.correction_filter import SMOOTHING
from nacli.networks.torch_engine import Decoder, History, Networks
from nacli.timing import CORRECTION_FILTER_DELAY, DC_BLOCKER_SAMPLES
from training.adaptive_filter.decoded import Decoded
from training.adaptive_filter.periods import measure_periods

PREFIX = "decoder."
"""Prefix of the names of the Decoder's tensors in a checkpoint."""


class DecoderInputs(NamedTuple):
    """What sound before the adaptive filter is made of: latents [B, F, D], gain indices and stage
    counts [B, F] of the frames that complete F hops, and corrections [B, F, BANDS] of the hops."""

    latents: Tensor
    gains: Tensor
    counts: Tensor
    corrections: Tensor

    @classmethod
    def of(cls, fields: Mapping[str, Tensor]) -> DecoderInputs:
        """Take the fields of `Decoded` as tensors [B, F, ...] by name."""
        latents, gains, counts, corrections = (fields[name] for name in cls._fields)
        return cls(latents.float(), gains.long(), counts.long(), corrections.float())


def load_decoder(model: Model, weights: Mapping[str, Tensor] | None = None) -> Decoder:
    """Return the Decoder of a checkpoint; `weights` take the places of those that it has."""
    decoder = Networks(model.config, model.tensors).decoder
    decoder.load_state_dict({**decoder.state_dict(), **(weights or {})})
    return decoder


def hops_ahead(decoder: Decoder) -> int:
    """Return the hops after a hop that its sound before the filter depends on."""
    return decoder.config.lookahead + CORRECTION_FILTER_DELAY


def decode(decoder: Decoder, inputs: DecoderInputs, fixed: int) -> tuple[Tensor, Tensor]:
    """Return samples [B, H * HOP] as the adaptive filter gets them, and features [B, H, width] of
    the first H = F - `hops_ahead` hops. Weights get no gradients from the first `fixed` frames, at
    least one."""
    latents, gains, counts, corrections = inputs
    history = History()

    def run(frames: slice) -> tuple[Tensor, Tensor]:
        return decoder.decode(latents[:, frames], gains[:, frames], counts[:, frames], history)

    with torch.no_grad():
        early = run(slice(fixed))
    pcm, features = (
        torch.cat(pair, 1) for pair in zip(early, run(slice(fixed, None)), strict=True)
    )
    late = decoder.config.lookahead
    pcm = _correct(_without_offset(pcm[:, late * HOP :]), corrections[:, : -late or None])
    return pcm, features[:, late : late + pcm.shape[1] // HOP]


def decode_again(decoder: Decoder, clip: Decoded) -> Decoded:
    """Return a whole clip as this Decoder decodes it with the same codes and corrections."""
    ahead = hops_ahead(decoder)
    padded = {
        name: np.pad(getattr(clip, name), [(0, ahead), (0, 0)][: getattr(clip, name).ndim])
        for name in DecoderInputs._fields
    }
    inputs = DecoderInputs.of({name: torch.from_numpy(x)[None] for name, x in padded.items()})
    with torch.no_grad():
        pcm, features = (x[0].numpy() for x in decode(decoder, inputs, fixed=1))
    lags, strengths = measure_periods(pcm)
    return clip._replace(
        decoded=pcm,
        features=features,
        lags=lags.astype(np.int16),
        likeness=strengths.astype(np.float16),
    )


def _without_offset(pcm: Tensor) -> Tensor:
    """Return samples [B, T] less their moving mean, as `nacli.dsp.dc_blocker` does; those before
    the first are taken as silent."""
    total = F.pad(pcm.double().cumsum(1), (DC_BLOCKER_SAMPLES, 0))
    mean = (total[:, DC_BLOCKER_SAMPLES:] - total[:, :-DC_BLOCKER_SAMPLES]) / DC_BLOCKER_SAMPLES
    return pcm - mean.float()


def _correct(pcm: Tensor, corrections: Tensor) -> Tensor:
    """Return samples [B, F * HOP] whose hops have these corrections [B, F, BANDS] as
    `nacli.envelope.correction_filter` filters them, without the last hop."""
    spectra = bark_spectra(HOP, CODED_RATE)
    window, weights = torch.from_numpy(spectra.window), torch.from_numpy(spectra.band_weights)
    blocks = F.pad(pcm, (HOP, 0)).unfold(1, HOP, HALF)[:, 1:-1]
    doubled = F.pad(corrections, (0, 0, 1, 0)).repeat_interleave(2, 1)[:, 1:]
    sides = doubled[:, :-2] + doubled[:, 2:]
    gains = ((SMOOTHING * doubled[:, 1:-1] + sides) / (SMOOTHING + 2)).exp() @ weights
    blocks = torch.fft.irfft(torch.fft.rfft(blocks * window) * gains, HOP) * window
    return (blocks[:, :-1, HALF:] + blocks[:, 1:, :HALF]).flatten(1)
