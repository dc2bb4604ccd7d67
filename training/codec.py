"""The whole codec as one module, what it is trained on, and its precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.envelope.corrections import correction_lambdas as span_lambdas
from nacli.envelope.corrections import span_stages
from nacli.networks.torch_engine import Decoder, Encoder, History
from nacli.networks.torch_engine.layers import RecurrentLayer
from nacli.quantizer.allocation import LEVELS_PER_STAGE, packet_counts
from training.filterbank import BandLevels
from training.pitch_filter import PitchFilter
from training.quantizer import CorrectionQuantizer, ResidualQuantizer

Allocation = Callable[[Tensor], Tensor]
"""Stage counts [B, F] for gains [B, F]."""


class Plain(NamedTuple):
    """What comes of a batch without corrections: samples [B, T] aligned with the input, codes [K, M], how
    far the latents are from these, squared, and the stages [B, F] of all frames: where one is
    silent, none."""

    output: Tensor
    codes: Tensor
    commitment: Tensor
    counts: Tensor


class Coded(NamedTuple):
    """The same with corrections, and those that would have been right [B, S, BANDS]."""

    output: Tensor
    codes: Tensor
    commitment: Tensor
    corrections: Tensor


class Codec(nn.Module):
    """Encoder, quantiser and Decoder as one module, so that one state holds them all."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantizer = ResidualQuantizer(
            config.stages, config.codebook_size, config.latent_dim, config.quantizer_groups
        )
        self.corrections = CorrectionQuantizer(
            config.correction_stages,
            config.codebook_size,
            BANDS,
            config.correction_memory,
        )
        self.harmonics, self.levels = PitchFilter(config.hop), BandLevels(config)

    def forward(self, pcm: Tensor, allocate: Allocation) -> Coded:
        """Samples [B, T] there and back, with as many stages as `allocate` gives each frame."""
        plain = self.plain(pcm, allocate)
        own = plain.counts[
            :, 1 : 1 + pcm.shape[1] // self.config.hop
        ]  # frame f completes hop f - 1
        output, wanted = self.level(plain.output, pcm, own)
        return Coded(output, plain.codes, plain.commitment, wanted)

    def plain(self, pcm: Tensor, allocate: Allocation) -> Plain:
        """The same without corrections."""
        late = 1 + self.config.lookahead
        padded = torch.nn.functional.pad(pcm, (0, late * self.config.hop))
        latents, gains = self.encoder(padded, History())
        counts = allocate(gains)
        quantized, codes, commitment = self.quantizer(latents, counts)
        output = self.decoder(quantized, gains, counts, History())
        output = output[:, late * self.config.hop :].float()
        return Plain(output, codes, commitment, counts * (gains > 0))

    def level(self, output: Tensor, original: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Samples [B, F * hop] as they are heard: with the noise between harmonics lowered, and
        bands brought nearer to the original's by corrections, of clips with so many stages [B, F]. And
        the corrections [B, S, BANDS] that they would have needed. Spans are those of packets with few
        stages."""
        levels, output = self.levels, self.harmonics(output)
        wanted = levels.wanted(levels.energies(original), levels.energies(output))
        weights = correction_lambdas(counts, self.config)
        corrections, _ = self.corrections.follow(wanted.detach(), weights, self.corrections.fade)
        return levels.correction(output, corrections), wanted

    def adopt(self, model: Model, batch_frames: int = 1000) -> None:
        """Take what a checkpoint has of a codec that was trained with so many frames in a batch."""
        weights = {
            name: torch.from_numpy(weight.astype(np.float32))
            for name, weight in model.tensors.items()
            if name.startswith(("encoder.", "decoder."))
        }
        self.load_state_dict(weights, strict=False)  # codebooks follow
        self.quantizer.adopt(torch.from_numpy(model.codebooks.vectors), batch_frames)
        if model.codebooks.corrections:
            spans = batch_frames // self.config.correction_frames
            self.corrections.adopt(torch.from_numpy(model.codebooks.corrections.vectors), spans)


def frozen_codec(model: Model, batch_frames: int = 1000) -> Codec:
    """The codec of a checkpoint, whose networks learn no more; `batch_frames` as in `adopt`."""
    codec = Codec(model.config)
    codec.adopt(model, batch_frames)
    codec.eval()
    autocast_blocks(codec, "cpu", None)
    return codec


def correction_lambdas(counts: Tensor, config: ModelConfig) -> Tensor:
    """`nacli.envelope.corrections.correction_lambdas` [B, S] of clips whose hops have stage counts [B, F]."""
    rows = [
        span_lambdas(span_stages(row, config.correction_frames, 0)) for row in counts.cpu().numpy()
    ]
    return torch.from_numpy(np.stack(rows)).to(counts.device)


def alike(stages: int) -> Allocation:
    """As many stages for every frame."""
    return lambda gains: torch.full_like(gains, stages)


def draw_level(stages: int, random: np.random.Generator) -> int:
    """A level of an allocation over so many stages; low ones, which are used more, more often."""
    return int(LEVELS_PER_STAGE * (1 + (stages + 4) * random.random() ** 1.5))


def as_encoded(stages: int, random: np.random.Generator) -> Allocation:
    """What the encoder's packets get, each clip at a random level. The first of a batch has all
    stages, so that every step trains every codebook."""

    def allocate(gains: Tensor) -> Tensor:
        rows = gains.cpu().numpy()
        found = [packet_counts(row[None], (draw_level(stages, random),), stages) for row in rows]
        found[0][:] = stages
        return torch.from_numpy(np.concatenate(found)).to(gains)

    return allocate


def has_bf16_units(device: str) -> bool:
    """Whether products in bfloat16 are faster than in float32 there; without units they crawl."""
    if device != "cpu":
        return True
    found = Path("/proc/cpuinfo")
    return found.exists() and bool({"avx512_bf16", "amx_bf16"} & set(found.read_text().split()))


def autocast_blocks(codec: Codec, device: str, wanted: bool | None) -> None:
    """Run the blocks at the frame rate, where the work is, in bfloat16: where that is `wanted`, or,
    with None, faster. Transforms, quantiser and losses keep float32: eight bits would be heard in
    them. So do recurrent layers, whose rounding errors would add up from frame to frame."""
    if not (has_bf16_units(device) if wanted is None else wanted):
        return
    for layer in [*codec.encoder.layers, *codec.decoder.layers]:
        if isinstance(layer, RecurrentLayer):
            continue
        cast = torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
        layer.forward = cast(layer.forward)
