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


def autocast_blocks(codec: Codec, device: str, enabled: bool | None) -> None:
    """Run the blocks at the frame rate, which do most of the work, in bfloat16.

    With None for `enabled`, bfloat16 is used where it is faster. Transforms, quantiser and losses
    keep float32, because the rounding of eight bits would be audible there. Recurrent layers keep
    it too, because rounding errors would add up from frame to frame.
    """
    if not (has_bf16_units(device) if enabled is None else enabled):
        return
    for layer in [*codec.encoder.layers, *codec.decoder.layers]:
        if isinstance(layer, RecurrentLayer):
            continue
        cast = torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
        layer.forward = cast(layer.forward)
