"""The choice of the engine and the device that run the networks of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from numpy.typing import NDArray

from nacli.config import ModelConfig
from nacli.errors import NacliError
from nacli.types import Floats, Integers

ENGINES = ("auto", "numpy", "torch")
"""Names of the engines. `auto` is NumPy on the CPU for each configuration that it supports, and
torch otherwise."""
DEVICES = ("cpu", "cuda", "auto")
"""Names of the devices. `auto` is `cuda` where torch finds a GPU, and `cpu` otherwise."""


class Networks(Protocol):
    """The Encoder and Decoder networks of a checkpoint. They hold no state of any stream, so any
    number of streams may share them."""

    def new_history(self) -> Any:
        """Return the state of a new stream. Its `copy()` is an independent state that continues
        from the same point."""

    def analyze(self, pcm: Floats, history: Any) -> tuple[Floats, Integers]:
        """Return latents [C, F, D] and gain indices [C, F] of samples [C, F * hop] at 24 kHz."""

    def synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, history: Any
    ) -> Floats:
        """Return samples [C, F * hop] at 24 kHz, decoded from latents [C, F, D], gain indices and
        stage counts [C, F]. Their delay is one hop plus the Decoder's look-ahead."""

    def synthesize_with_features(
        self, latents: Floats, gains: Integers, counts: Integers, history: Any
    ) -> tuple[Floats, Floats]:
        """Return the samples of `synthesize`, and the Decoder's features [C, F, width] of the same
        frames: what its last layer makes coefficients of."""


def runs_in_numpy(config: ModelConfig) -> bool:
    """Return whether the NumPy engine has every layer of this configuration."""
    others = (config.attention_every, config.recurrent_layers, config.pair_blocks)
    return not any(others) and config.upsampling == "subpixel"


def choose_device(device: str, engine: str = "auto") -> str:
    """Return the device that runs the networks, "cpu" or "cuda". Torch is imported only where the
    device is not "cpu".

    Args:
        device: one of DEVICES.
        engine: one of ENGINES.

    Raises:
        NacliError: the device is "cuda", and torch is not installed or finds no GPU.
        ValueError: the device or the engine is unknown, or the NumPy engine is to run on a GPU.
    """
    for kind, name, names in (("engine", engine, ENGINES), ("device", device, DEVICES)):
        if name not in names:
            raise ValueError(f"unknown {kind} {name!r}: it is one of {', '.join(names)}")
    if device == "cpu" or (device == "auto" and engine == "numpy"):
        return "cpu"
    if engine == "numpy":
        raise ValueError("the NumPy engine runs on the CPU only")
    cause = _missing_cuda()
    if cause and device == "cuda":
        raise NacliError(f"the device cuda is not available: {cause}")
    return "cpu" if cause else "cuda"


def load_networks(
    config: ModelConfig,
    weights: Mapping[str, NDArray[Any]],
    engine: str = "auto",
    device: str = "cpu",
) -> Networks:
    """Return the networks with these weights.

    Args:
        config: the sizes of the networks.
        weights: the tensors of the networks by their names in the checkpoint.
        engine, device: what runs the networks, one of ENGINES and one of DEVICES.

    Raises:
        NacliError: torch or the GPU that is needed is missing; see `choose_device`.
        ValueError: the weights do not fit the configuration, or the engine does not support it.
    """
    device = choose_device(device, engine)
    if engine == "torch" or device == "cuda" or (engine == "auto" and not runs_in_numpy(config)):
        networks: Networks = _torch_engine().Networks(config, dict(weights), device)
        return networks
    from nacli.networks.numpy_engine.engine import NumpyNetworks

    return NumpyNetworks(config, weights)


def _missing_cuda() -> str | None:
    """Return why the networks cannot run on a GPU; None where they can."""
    try:
        cause: str | None = _torch_engine().missing_cuda()
    except NacliError as error:
        return str(error)
    return cause


def _torch_engine() -> Any:
    """Import and return the torch engine. Raises `NacliError` where torch is not installed."""
    try:
        return import_module("nacli.networks.torch_engine")
    except ImportError as error:
        raise NacliError(f"PyTorch is needed and cannot be imported: {error}") from error
