"""The Encoder and Decoder networks in torch: they turn samples into latents, and back.

All layers are causal and run on tensors [batch, time, features]. A network holds no state of any
stream: the left context of every causal layer is in a `History`, of which each stream has one. So
the same code trains on segments (with a new history) and runs on live streams (with a kept one).

Before training, the networks are an exact sine-window MDCT and its inverse (Princen, Johnson and
Bradley, 1987), and every residual branch is zero.
"""

from nacli.networks.torch_engine.layers import History
from nacli.networks.torch_engine.networks import Decoder, Encoder
from nacli.networks.torch_engine.runtime import Networks, missing_cuda
from nacli.networks.torch_engine.stored_weights import from_checkpoint, to_checkpoint
from nacli.networks.torch_engine.transform import compress, emphasis, expand

__all__ = [
    "Decoder",
    "Encoder",
    "History",
    "Networks",
    "compress",
    "emphasis",
    "expand",
    "from_checkpoint",
    "missing_cuda",
    "to_checkpoint",
]
