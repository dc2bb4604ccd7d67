"""Data-parallel training in several processes: each draws its own batch, all make the same step.

On a CPU, one thread in each of two processes does nearly twice the work of two threads in one.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn


def launch(function: Callable[..., None], workers: int, *arguments: Any) -> None:
    """Run `function(rank, *arguments)` in `workers` processes of one process group."""
    if workers == 1:
        function(0, *arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        init_method = f"file://{folder}/processes"
        spawn(_work, (function, workers, init_method, arguments), nprocs=workers)


def _work(
    rank: int, function: Callable[..., None], workers: int, init_method: str, arguments: tuple[Any]
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    dist.init_process_group("gloo", init_method=init_method, rank=rank, world_size=workers)
    torch.set_num_threads(1)
    function(rank, *arguments)


def _end_with_parent() -> None:
    """Exit when the parent ends: workers of a killed parent would train on and write states."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "spawned"
    parent.join()
    os._exit(1)


def sum_all(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its sum over all processes, with one message for all of them."""
    if not dist.is_initialized():
        return
    tensors = list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def from_first(tensor: Tensor) -> None:
    """Replace `tensor` by that of the first process."""
    if dist.is_initialized():
        dist.broadcast(tensor, 0)


def agree(value: float) -> float:
    """Return the value of the first process."""
    shared = torch.tensor(value, dtype=torch.float64)
    from_first(shared)
    return float(shared)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace each gradient by its mean over all processes."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    sum_all(gradients)
    torch._foreach_div_(gradients, dist.get_world_size())
