"""The codec of a finished checkpoint, whose networks learn no more."""

from __future__ import annotations

from nacli.checkpoint import Model
from training.codec import Codec
from training.precision import autocast_blocks


def frozen_codec(model: Model) -> Codec:
    """Return the codec of a checkpoint in evaluation mode."""
    codec = Codec(model.config)
    codec.adopt(model)
    codec.eval()
    autocast_blocks(codec, "cpu", None)
    return codec
