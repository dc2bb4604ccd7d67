"""The frozen networks of a checkpoint, as the rest of nacli sees them: NumPy in, NumPy out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nacli.config import ModelConfig
from nacli.model.layers import History
from nacli.model.networks import Decoder, Encoder


class Networks:
    """The frozen networks of a checkpoint, NumPy in and out. Holds no state of any stream."""

    def __init__(self, config: ModelConfig, weights: dict[str, Any]) -> None:
        """Raises `RuntimeError` when the weights do not fit the configuration."""
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        for prefix, network in (("encoder.", self.encoder), ("decoder.", self.decoder)):
            state = {
                name.removeprefix(prefix): torch.from_numpy(weight).float()
                for name, weight in weights.items()
                if name.startswith(prefix)
            }
            network.load_state_dict(state)
            network.eval().requires_grad_(False)

    def new_history(self) -> History:
        """The state of a stream that is about to start."""
        return History()

    @torch.inference_mode()
    def analyze(self, pcm: Any, history: History) -> tuple[Any, Any, Any]:
        """Samples [C, T] at 24 kHz to latents [C, F, D] float32, gains [C, F] int32 and energies of
        bands [C, F, bands] float32."""
        latents, gains, coefficients = self.encoder(torch.from_numpy(pcm), history)
        energies = self.decoder.bands.energies(coefficients)
        return latents.numpy(), gains.int().numpy(), energies.numpy()

    @torch.inference_mode()
    def wanted_trims(
        self, energies: Any, latents: Any, gains: Any, counts: Any, history: History
    ) -> Any:
        """Trims [C, S, bands] with which `synthesize` would come to these energies of bands. The
        history is one of its own: what follows from the frames before."""
        tensors = _tensors(latents, gains, counts)
        decoded = self.decoder.coefficients(*tensors, history)
        original = self.decoder.lookahead.delayed(torch.from_numpy(energies), history)
        bands = self.decoder.bands
        return bands.wanted(original, bands.energies(decoded)).numpy()

    @torch.inference_mode()
    def spread_trims(self, trims: Any, frames: int) -> Any:
        """Trims of a packet's spans [C, S, bands] to those of its frames [C, F, bands]."""
        return self.decoder.bands.spread(torch.from_numpy(trims), frames).numpy()

    @torch.inference_mode()
    def synthesize(
        self, latents: Any, gains: Any, counts: Any, trims: Any, history: History
    ) -> Any:
        """Latents [C, F, D], gains, stage counts [C, F] and trims [C, F, bands] to samples
        [C, F * hop], one hop late and as many more as the Decoder looks ahead."""
        tensors = _tensors(latents, gains, counts)
        return self.decoder(*tensors, torch.from_numpy(trims), history).numpy()


def _tensors(latents: Any, gains: Any, counts: Any) -> tuple[Tensor, Tensor, Tensor]:
    first, *rest = map(torch.from_numpy, (latents, gains.astype("i8"), counts.astype("i8")))
    return first, rest[0], rest[1]
