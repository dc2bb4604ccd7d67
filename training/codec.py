"""Encoder, quantiser and Decoder as one module, so that one state holds all of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.networks.torch_engine import Decoder, Encoder, History, from_checkpoint
from training.gain_smoothing import smooth_gains
from training.quantizer.residual import ResidualQuantizer
from training.stage_allocation import Allocation


class CodecOutput(NamedTuple):
    """The output for a batch of clips of F frames, without post-processing.

    `output` are samples [B, T] aligned with the input; `codes` [K, B * F]; `commitment` is the mean
    squared distance of the latents to their codes; `counts` are the stage counts [B, F] of all
    frames, 0 for silent ones.
    """

    output: Tensor
    codes: Tensor
    commitment: Tensor
    counts: Tensor


class Codec(nn.Module):
    """Encoder, quantiser and Decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantizer = ResidualQuantizer(
            config.stages, config.codebook_size, config.latent_dim, config.quantizer_groups
        )

    def forward(self, pcm: Tensor, allocate: Allocation) -> CodecOutput:
        """Encode and decode samples [B, T] with the stage counts that `allocate` returns."""
        delay = 1 + self.config.lookahead
        padded = torch.nn.functional.pad(pcm, (0, delay * self.config.hop))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.quantizer.frozen):
            latents, gains = self._encode(padded)
            counts = allocate(gains) * (gains > 0)
            quantized, codes, commitment = self.quantizer(latents, counts)
        output = self.decoder(quantized, gains, counts, History())
        output = output[:, delay * self.config.hop :].float()
        return CodecOutput(output, codes, commitment, counts)

    def _encode(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the Encoder returns, from tensor operations alone."""
        history = History()
        coefficients = self.encoder.transform(pcm, history)
        gains = smooth_gains(self.encoder.gain.index(coefficients))
        return self.encoder.latents(coefficients, gains, history).float(), gains

    def freeze(self, frozen: bool) -> None:
        """Let Encoder and codebooks stay as they are, or learn."""
        self.encoder.requires_grad_(not frozen)
        self.quantizer.frozen = frozen

    def adopt(self, model: Model, batch_frames: int = 1000) -> None:
        """Load networks and codebooks from a checkpoint, to train on with `batch_frames` frames in
        a batch."""
        tensors = {
            name: tensor
            for name, tensor in model.tensors.items()
            if name.startswith(("encoder.", "decoder."))
        }
        self.load_state_dict(from_checkpoint(tensors), strict=False)  # codebooks follow
        self.quantizer.adopt(torch.from_numpy(model.codebooks.vectors), batch_frames)
