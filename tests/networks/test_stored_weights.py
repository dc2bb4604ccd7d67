"""Matrices of linear layers are [inputs, outputs] in checkpoints, [outputs, inputs] in torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from nacli.networks.torch_engine import Decoder, Encoder, from_checkpoint, to_checkpoint
from small_networks import SMALL
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterConfig

FULL = replace(SMALL, lookahead=2, attention_every=1, recurrent_layers=1, pair_blocks=1)


@pytest.mark.parametrize(
    "network",
    [
        Encoder(FULL),
        Decoder(FULL),
        Decoder(replace(FULL, upsampling="transposed")),
        Decoder(replace(FULL, upsampling="interpolation")),
        AdaptiveFilter(FilterConfig(24, 8, 32, 48)),
    ],
    ids=["encoder", "decoder", "transposed", "interpolation", "filter"],
)
def test_the_weights_of_all_linear_layers_change_their_order(network: nn.Module) -> None:
    weights = {name: torch.randn(w.shape).half() for name, w in network.state_dict().items()}
    layers = network.named_modules()
    linear = {f"{name}.weight" for name, layer in layers if isinstance(layer, nn.Linear)}
    stored = to_checkpoint(weights)
    for name, weight in weights.items():
        found = torch.from_numpy(stored[name])
        assert found.dtype == torch.float16 and stored[name].flags.c_contiguous
        assert torch.equal(found, weight.T if name in linear else weight), name
    for name, weight in from_checkpoint(stored).items():
        assert weight.dtype == torch.float32 and torch.equal(weight, weights[name].float()), name
