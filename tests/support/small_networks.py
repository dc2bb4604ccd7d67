"""Small networks with random weights, in which layers that are zero before training contribute."""

from __future__ import annotations

import torch

from nacli.config import ModelConfig
from nacli.networks.torch_engine import Decoder, Encoder, Networks, to_checkpoint

SMALL = ModelConfig(
    width=48, hidden=64, encoder_blocks=2, decoder_blocks=2, latent_dim=40, lookahead=0
)


def disturb(network: torch.nn.Module) -> None:
    """Add noise to every parameter."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))


def make_networks(config: ModelConfig) -> Networks:
    """Return the networks of a configuration in torch, with disturbed weights."""
    weights: dict[str, torch.Tensor] = {}
    for prefix, network in (("encoder.", Encoder(config)), ("decoder.", Decoder(config))):
        disturb(network)
        weights |= {prefix + name: weight for name, weight in network.state_dict().items()}
    return Networks(config, to_checkpoint(weights))
