"""Which engine runs a checkpoint's networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from nacli.config import ModelConfig
from nacli.types import Floats, Integers

ENGINES = ("auto", "numpy", "torch")
"""`auto` is NumPy for every configuration that it can run, else torch."""


class Networks(Protocol):
    """Encoder and Decoder network. Holds no state of any stream."""

    def new_history(self) -> Any:
        """The state of a stream that is about to start; its `copy()` goes on independently."""

    def analyze(self, pcm: Floats, history: Any) -> tuple[Floats, Integers]:
        """Samples [C, F * hop] at 24 kHz to latents [C, F, D] and gain indices [C, F]."""

    def synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, history: Any
    ) -> Floats:
        """Latents [C, F, D], gains and stage counts [C, F] to samples [C, F * hop], one hop late
        and as many more as the Decoder looks ahead."""


def runs_in_numpy(config: ModelConfig) -> bool:
    """Whether the NumPy engine has every layer of this configuration."""
    others = (config.attention_every, config.recurrent_layers, config.pair_blocks)
    return not any(others) and config.upsampling == "subpixel"


def load_networks(
    config: ModelConfig, weights: Mapping[str, NDArray[Any]], engine: str = "auto"
) -> Networks:
    """The networks with these weights, run by one of ENGINES.

    Raises `ValueError` where the weights do not fit the configuration, or the engine cannot run it.
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}: it is one of {', '.join(ENGINES)}")
    if engine == "torch" or (engine == "auto" and not runs_in_numpy(config)):
        return _torch_networks(config, weights)
    from nacli.networks.numpy_engine.engine import NumpyNetworks

    return NumpyNetworks(config, weights)


def _torch_networks(config: ModelConfig, weights: Mapping[str, NDArray[Any]]) -> Networks:
    from nacli.networks.torch_engine import Networks as TorchNetworks

    try:
        return TorchNetworks(config, dict(weights))
    except RuntimeError as error:
        raise ValueError(str(error)) from error
