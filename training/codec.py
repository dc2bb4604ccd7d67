"""The whole codec as one module, so that one state holds all of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.envelope import corrections as envelope_corrections
from nacli.envelope.corrections import span_stages
from nacli.networks.torch_engine import Decoder, Encoder, History
from training.differentiable.filterbank import BandCorrection
from training.quantizer.corrections import CorrectionQuantizer
from training.quantizer.residual import ResidualQuantizer
from training.stage_allocation import Allocation


class NetworkOutput(NamedTuple):
    """The output of the networks and the quantiser for a batch, without post-processing.

    `output` are samples [B, T] aligned with the input; `codes` [K, M]; `commitment` is the mean
    squared distance of the latents to their codes; `counts` are the stage counts [B, F] of all
    frames, 0 for silent ones.
    """

    output: Tensor
    codes: Tensor
    commitment: Tensor
    counts: Tensor


class CodecOutput(NamedTuple):
    """The output of the whole codec for a batch.

    `output` are samples [B, T] after envelope corrections; `codes` [K, M];
    `commitment` as in `NetworkOutput`; `corrections` [B, S, BANDS] are the targets: those that
    would restore the original's band energies.
    """

    output: Tensor
    codes: Tensor
    commitment: Tensor
    corrections: Tensor


class Codec(nn.Module):
    """Encoder, quantisers and Decoder."""

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
        self.bands = BandCorrection(config)

    def forward(self, pcm: Tensor, allocate: Allocation) -> CodecOutput:
        """Encode and decode samples [B, T] with the stage counts that `allocate` returns."""
        coded = self.code(pcm, allocate)
        hops = pcm.shape[1] // self.config.hop
        counts = coded.counts[:, 1 : 1 + hops]  # frame f completes hop f - 1
        output, targets = self.post_process(coded.output, pcm, counts)
        return CodecOutput(output, coded.codes, coded.commitment, targets)

    def code(self, pcm: Tensor, allocate: Allocation) -> NetworkOutput:
        """Run Encoder, quantiser and Decoder on samples [B, T], without post-processing."""
        delay = 1 + self.config.lookahead
        padded = torch.nn.functional.pad(pcm, (0, delay * self.config.hop))
        latents, gains = self.encoder(padded, History())
        counts = allocate(gains)
        quantized, codes, commitment = self.quantizer(latents, counts)
        output = self.decoder(quantized, gains, counts, History())
        output = output[:, delay * self.config.hop :].float()
        return NetworkOutput(output, codes, commitment, counts * (gains > 0))

    def post_process(
        self, decoded: Tensor, original: Tensor, counts: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Apply quantised envelope corrections, with gradients.

        Args:
            decoded, original: samples [B, F * hop].
            counts: stage counts [B, F]. Spans are those of packets with few stages.

        Returns:
            The samples [B, F * hop], and the targets of the corrections [B, S, BANDS].
        """
        bands = self.bands
        targets = bands.targets(bands.energies(original), bands.energies(decoded))
        lambdas = correction_lambdas(counts, self.config)
        corrections, _ = self.corrections.quantize(
            targets.detach(), lambdas, self.corrections.decayed
        )
        return bands.apply_corrections(decoded, corrections), targets

    def adopt(self, model: Model, batch_frames: int = 1000) -> None:
        """Load networks and codebooks from a checkpoint, to train on with `batch_frames` frames in
        a batch."""
        weights = {
            name: torch.from_numpy(weight).float()
            for name, weight in model.tensors.items()
            if name.startswith(("encoder.", "decoder."))
        }
        self.load_state_dict(weights, strict=False)  # codebooks follow
        self.quantizer.adopt(torch.from_numpy(model.codebooks.vectors), batch_frames)
        if model.codebooks.corrections:
            spans = batch_frames // self.config.correction_frames
            self.corrections.adopt(torch.from_numpy(model.codebooks.corrections.vectors), spans)


def correction_lambdas(counts: Tensor, config: ModelConfig) -> Tensor:
    """Return the rate-distortion weights [B, S] of the corrections of clips whose hops have the
    stage counts [B, F]."""
    rows = [
        envelope_corrections.correction_lambdas(span_stages(row, config.correction_frames, 0))
        for row in counts.cpu().numpy()
    ]
    return torch.from_numpy(np.stack(rows)).to(counts.device)
