"""Encoder and Decoder networks: raw PCM to latents, and back.

Everything is causal and runs on tensors laid out [batch, time, channels]. A network holds no state
of its own: the left context of every causal layer lives in a `History`, one per stream, so the same
code trains on whole segments (a fresh history) and runs on a live pipe (a kept one).

The networks start as an exact sine-window MDCT and its transpose (Princen, Johnson and Bradley,
1987) with every residual branch at zero; training moves them from there.
"""

from nacli.networks.torch_engine.layers import History
from nacli.networks.torch_engine.networks import Decoder, Encoder
from nacli.networks.torch_engine.runtime import Networks, missing_cuda
from nacli.networks.torch_engine.transform import compress, emphasis, expand

__all__ = [
    "Decoder",
    "Encoder",
    "History",
    "Networks",
    "compress",
    "emphasis",
    "expand",
    "missing_cuda",
]
