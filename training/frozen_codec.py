"""The codec of a finished checkpoint, whose networks learn no more."""

from __future__ import annotations

from nacli.checkpoint import Model
from training.codec import Codec
from training.precision import autocast_blocks


def frozen_codec(model: Model, batch_frames: int = 1000) -> Codec:
    """Return the codec of a checkpoint in evaluation mode; `batch_frames` as in `Codec.adopt`."""
    codec = Codec(model.config)
    codec.adopt(model, batch_frames)
    codec.eval()
    autocast_blocks(codec, "cpu", None)
    return codec
