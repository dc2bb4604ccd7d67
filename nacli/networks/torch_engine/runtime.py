"""The frozen networks of a checkpoint in torch, with NumPy arrays as inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from nacli.config import ModelConfig
from nacli.errors import NacliError
from nacli.networks.torch_engine.layers import History
from nacli.networks.torch_engine.networks import Decoder, Encoder
from nacli.networks.torch_engine.stored_weights import from_checkpoint


def missing_cuda() -> str | None:
    """Return why torch cannot run on a GPU; None where it can."""
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None and torch.version.hip is None:
        return f"PyTorch {torch.__version__} is built without CUDA"
    return f"PyTorch {torch.__version__} finds no usable GPU"


class Networks:
    """The frozen networks of a checkpoint on one device. They hold no state of any stream.

    Weights and the states of streams stay on the device; inputs are copied to it, and outputs back.
    """

    def __init__(self, config: ModelConfig, weights: dict[str, Any], device: str = "cpu") -> None:
        """Take the weights of a checkpoint. Raises `ValueError` where they do not fit the
        configuration, and `NacliError` where the GPU fails."""
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self._device = torch.device(device)
        for prefix, network in (("encoder.", self.encoder), ("decoder.", self.decoder)):
            own = {
                name.removeprefix(prefix): weight
                for name, weight in weights.items()
                if name.startswith(prefix)
            }
            try:
                network.load_state_dict(from_checkpoint(own))
            except RuntimeError as error:
                raise ValueError(_one_line(error)) from error
            network.eval().requires_grad_(False)
            with _gpu_errors():
                network.to(self._device)
        if self._device.type == "cuda":
            # TensorFloat-32, cuDNN's default, would change codes: it has only 10 bits of mantissa.
            torch.backends.cudnn.allow_tf32 = False

    def new_history(self) -> History:
        """Return the state of a new stream."""
        return History()

    @torch.inference_mode()
    def analyze(self, pcm: Any, history: History) -> tuple[Any, Any]:
        """Return latents [C, F, D] float32 and gain indices [C, F] int32 of samples [C, F * hop] at
        24 kHz."""
        with _gpu_errors():
            latents, gains = self.encoder(self._tensor(pcm), history)
            return latents.cpu().numpy(), gains.int().cpu().numpy()

    @torch.inference_mode()
    def synthesize(self, latents: Any, gains: Any, counts: Any, history: History) -> Any:
        """Return samples [C, F * hop], decoded from latents [C, F, D], gain indices and stage
        counts [C, F]. Their delay is one hop plus the Decoder's look-ahead."""
        with _gpu_errors():
            return self._decode(latents, gains, counts, history)[0].cpu().numpy()

    @torch.inference_mode()
    def synthesize_with_features(
        self, latents: Any, gains: Any, counts: Any, history: History
    ) -> tuple[Any, Any]:
        """Return the samples of `synthesize`, and the Decoder's features [C, F, width] of the same
        frames: what its last layer makes coefficients of."""
        with _gpu_errors():
            pcm, features = self._decode(latents, gains, counts, history)
            return pcm.cpu().numpy(), features.cpu().numpy()

    def _decode(
        self, latents: Any, gains: Any, counts: Any, history: History
    ) -> tuple[torch.Tensor, torch.Tensor]:
        columns = [self._tensor(x.astype("i8")) for x in (gains, counts)]
        return self.decoder.decode(self._tensor(latents), columns[0], columns[1], history)

    def _tensor(self, array: Any) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)


@contextmanager
def _gpu_errors() -> Iterator[None]:
    """Turn the errors of a GPU, such as too little memory, into `NacliError`."""
    try:
        yield
    except (torch.OutOfMemoryError, torch.AcceleratorError) as error:
        raise NacliError(f"the GPU failed: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    """Return the message of an error of torch, which has several lines, as one line."""
    return " ".join(str(error).split())
