"""The whole codec as one module, what it is trained on, and its precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.model import Decoder, Encoder, History
from nacli.model.layers import RecurrentLayer
from training.quantizer import ResidualQuantizer

STAGE_CHOICES = (1, 2, 3, 4, 6, 8, 12, 16)


class Codec(nn.Module):
    """Encoder, quantiser and Decoder as one module, so that one state holds them all."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantizer = ResidualQuantizer(
            config.stages, config.codebook_size, config.latent_dim, config.quantizer_groups
        )

    def forward(self, pcm: Tensor, stages: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Samples [B, T] through `stages` [B] or [B, F]: output aligned with the input, codes,
        commitment loss."""
        hop = self.config.hop
        latents, gains = self.encoder(torch.nn.functional.pad(pcm, (0, hop)), History())
        counts = stages.reshape(len(pcm), -1).expand_as(gains)
        quantized, codes, commitment = self.quantizer(latents, counts)
        output = self.decoder(quantized, gains, counts, History())
        return output[:, hop:], codes, commitment


def draw_stages(size: int, frames: int, generator: np.random.Generator) -> Tensor:
    """Stage counts [size, frames]: all stages for the first of the batch, so that every step trains
    every codebook, any shipped count for the rest. As in the allocation, frames differ by up to one
    stage, and now and then by many."""
    drawn = generator.choice(STAGE_CHOICES, (size, 1))
    drawn = drawn - generator.integers(0, 2, (size, frames)) * (generator.random((size, 1)) < 0.5)
    dropped = generator.random((size, frames)) < 0.03
    drawn = np.where(dropped, generator.integers(0, drawn + 1), drawn)
    drawn[0] = STAGE_CHOICES[-1]
    return torch.from_numpy(drawn)


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
