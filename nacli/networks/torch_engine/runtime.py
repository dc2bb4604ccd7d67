"""The frozen networks of a checkpoint, as the rest of nacli sees them: NumPy in, NumPy out."""

from __future__ import annotations

from typing import Any

import torch

from nacli.config import ModelConfig
from nacli.networks.torch_engine.layers import History
from nacli.networks.torch_engine.networks import Decoder, Encoder


class Networks:
    """The frozen networks of a checkpoint, NumPy in and out. Holds no state of any stream."""

    def __init__(self, config: ModelConfig, weights: dict[str, Any]) -> None:
        """Raises `RuntimeError` when the weights do not fit the configuration."""
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        for prefix, network in (("encoder.", self.encoder), ("decoder.", self.decoder)):
            state = {
                name.removeprefix(prefix): torch.from_numpy(weight.astype("f4"))
                for name, weight in weights.items()
                if name.startswith(prefix)
            }
            network.load_state_dict(state)
            network.eval().requires_grad_(False)

    def new_history(self) -> History:
        """The state of a stream that is about to start."""
        return History()

    @torch.inference_mode()
    def analyze(self, pcm: Any, history: History) -> tuple[Any, Any]:
        """Samples [C, T] at 24 kHz to latents [C, F, D] float32 and gains [C, F] int32."""
        latents, gains = self.encoder(torch.from_numpy(pcm), history)
        return latents.numpy(), gains.int().numpy()

    @torch.inference_mode()
    def synthesize(self, latents: Any, gains: Any, counts: Any, history: History) -> Any:
        """Latents [C, F, D], gains and stage counts [C, F] to samples [C, F * hop], one hop late
        and as many more as the Decoder looks ahead."""
        whole = (gains.astype("i8"), counts.astype("i8"))
        return self.decoder(*map(torch.from_numpy, (latents, *whole)), history).numpy()
