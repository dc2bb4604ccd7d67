"""A training step as one CUDA graph: a GPU then never waits for the CPU to launch its kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from nacli.networks.torch_engine import History
from nacli.networks.torch_engine.layers import CausalConv

WARMUP_RUNS = 3
"""Runs before the recording, in which convolutions choose their algorithms."""


class GraphedStep:
    """Runs `body`, which draws its own batch, sets gradients and returns tensors to log.

    On a GPU it is recorded once and then replayed: gradients and returned tensors keep their
    memory. On a CPU it runs as it is.
    """

    def __init__(
        self,
        body: Callable[[], dict[str, Tensor]],
        parameters: Sequence[nn.Parameter],
        device: torch.device,
    ) -> None:
        self._body, self._parameters, self._device = body, parameters, device
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> dict[str, Tensor]:
        """Run the step, and return what it logs."""
        if self._device.type != "cuda":
            return self._run()
        if self._graph is None:
            self._graph = self._record()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        self._graph.replay()
        return self._outputs

    def _run(self) -> dict[str, Tensor]:
        for parameter in self._parameters:
            parameter.grad = None
        return self._body()

    def _record(self) -> torch.cuda.CUDAGraph:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP_RUNS):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        for parameter in self._parameters:
            parameter.grad = None  # the recorded pass makes gradients in the graph's own memory
        with torch.cuda.graph(graph):
            self._outputs = self._body()
        self._gradients = [parameter.grad for parameter in self._parameters]
        return graph


def allow_fast_products() -> None:
    """Allow products of 19 bits, and let convolutions choose among four algorithms."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.benchmark_limit = 4


def shift_convolutions(module: nn.Module) -> None:
    """Let causal convolutions, which have few channels and many time steps, run as products of
    shifted samples: on a GPU this is faster."""
    for layer in module.modules():
        if isinstance(layer, CausalConv):
            layer.forward = partial(_shifted, layer)  # type: ignore[method-assign]


def _shifted(layer: CausalConv, x: Tensor, history: History) -> Tensor:
    steps, x = x.shape[1], history.extend(layer, x, layer.kernel - 1)
    taps = [x[:, k : k + steps] @ layer.weight[:, :, k].T for k in range(layer.kernel)]
    return torch.stack(taps).sum(0)
