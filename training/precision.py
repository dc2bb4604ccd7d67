"""Precision of the networks while they train."""

from __future__ import annotations

from pathlib import Path

import torch

from nacli.networks.torch_engine.layers import RecurrentLayer
from training.codec import Codec


def has_bf16_units(device: str) -> bool:
    """Return whether products in bfloat16 are faster than in float32 on this device.

    A CPU without units for bfloat16 emulates it slowly.
    """
    if device != "cpu":
        return True
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and bool({"avx512_bf16", "amx_bf16"} & set(cpuinfo.read_text().split()))


def uses_bf16(device: str, enabled: bool | None) -> bool:
    """Return `enabled`; None stands for bfloat16 where it is faster."""
    return has_bf16_units(device) if enabled is None else enabled


def autocast_blocks(codec: Codec, device: str, enabled: bool | None) -> None:
    """Run the blocks at the frame rate, which do most of the work, in bfloat16.

    `enabled` as in `uses_bf16`. Transforms, quantiser and losses
    keep float32, because the rounding of eight bits would be audible there. Recurrent layers keep
    it too, because rounding errors would add up from frame to frame.
    """
    if not uses_bf16(device, enabled):
        return
    for layer in [*codec.encoder.layers, *codec.decoder.layers]:
        if isinstance(layer, RecurrentLayer):
            continue
        layer.forward = bf16(device)(layer.forward)


def bf16(device: str) -> torch.autocast:
    """Return a context of products in bfloat16. It keeps no converted weights, which a CUDA graph
    could not convert again."""
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=torch.bfloat16, cache_enabled=False)
