"""The configuration of a model: every size that the weights depend on, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

CODED_RATE = 24_000
"""Samples a second of the signal that the networks code; the hop counts these."""
MAX_PACKET_FRAMES = 4096
"""Longest packet, 54 s: this bounds what one packet can make a reader allocate."""
GAIN_LEVELS = 81
"""Gain indices 0..80: 0 is digital silence, 1 is `gain_floor_db`, then steps of `gain_step_db`."""
MAX_LOOKAHEAD = 8
"""Frames; more would be heard as an echo of oneself."""
_STORED_NAMES = {
    "correction_stages": "trim_stages",
    "correction_frames": "trim_frames",
    "correction_fine": "trim_fine",
    "correction_memory": "trim_memory",
}
"""Names in checkpoints that differ from those of the fields. The digest of a model covers them, so
they can only change with the next checkpoint."""
UPSAMPLINGS = ("subpixel", "transposed", "interpolation")


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of Encoder, quantiser and Decoder. Rates in Hz, levels in dB relative to full scale.

    Raises `ValueError` for what cannot be built.
    """

    sample_rate: int = CODED_RATE
    strides: tuple[int, int] = (80, 4)
    """Down-sampling: samples to sub-frames, sub-frames to frames. Their product is the hop."""
    feature_channels: int = 4
    subframe_channels: int = 96
    subframe_blocks: int = 1
    width: int = 256
    hidden: int = 768
    encoder_blocks: int = 5
    decoder_blocks: int = 7
    kernel: int = 7
    attention_every: int = 0
    """Put a windowed attention layer after every n-th block; 0 means none."""
    attention_window: int = 64
    attention_heads: int = 4
    recurrent_layers: int = 0
    """Gated recurrent layers after the blocks of each network."""
    lookahead: int = 2
    """Frames after a frame that the Decoder waits for; see `nacli/networks/torch_engine/lookahead.py`."""
    pair_blocks: int = 0
    """Residual blocks on pairs of sub-frames, between the sub-frame blocks and the frames."""
    upsampling: str = "subpixel"
    """How the Decoder gets from sub-frames to samples; see `nacli/networks/torch_engine/upsampling.py`."""
    normalize: bool = True
    """Divide each frame by its level before the network sees it."""
    latent_dim: int = 160
    compand: float = 0.6
    """Exponent of the signed power law between the network and the quantiser."""
    emphasis: float = 0.25
    """Latents start out weighed by their frequency to the power of minus this, so that the
    quantiser's squared errors count for more where the ear is finer."""
    stages: int = 16
    codebook_size: int = 1024
    quantizer_groups: int = 1
    """Split the latents into so many groups; stage s quantises group s modulo their number."""
    correction_stages: int = 3
    """Corrections say how the levels of decoded bands are to be corrected. A span has at most so many
    codes for them; 0 means no corrections."""
    correction_frames: int = 2
    """Frames of a span, whose bands are corrected alike."""
    correction_fine: int = 8
    """Packets in which a frame has so many stages have spans of one frame."""
    correction_memory: float = 0.7
    """Of the correction of the span before, what is expected of the next; its codes say the rest."""
    gain_floor_db: float = -100.0
    gain_step_db: float = 1.5051499783

    def __post_init__(self) -> None:
        if self.upsampling not in UPSAMPLINGS:
            known = ", ".join(UPSAMPLINGS)
            raise ValueError(f"unknown upsampling {self.upsampling!r}: it is one of {known}")
        if self.pair_blocks and self.strides[1] % 2:
            raise ValueError(f"pair_blocks: {self.strides[1]} sub-frames a frame make no pairs")
        if self.latent_dim > min(self.width, self.hop):
            raise ValueError("latent_dim: at most the width and the hop")
        if self.correction_frames < 1 or self.correction_stages < 0:
            raise ValueError("correction_frames: at least 1; correction_stages: at least 0")
        if not 0 <= self.lookahead <= MAX_LOOKAHEAD:
            raise ValueError(f"lookahead: 0 to {MAX_LOOKAHEAD} frames")
        if not 1 <= self.quantizer_groups <= min(self.stages, self.latent_dim):
            raise ValueError("quantizer_groups: at least 1, at most the stages and the latents")

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return self.strides[0] * self.strides[1]

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    @property
    def decoder_context(self) -> int | None:
        """Frames before a frame on which the samples that come with it may depend; None for all."""
        if self.recurrent_layers:
            return None
        blocks = self.decoder_blocks * (self.kernel - 1)
        attention = self.decoder_blocks // self.attention_every if self.attention_every else 0
        subframes = (self.subframe_blocks + 2 * self.pair_blocks) * (self.kernel - 1)
        subframes += 0 if self.upsampling == "subpixel" else 2
        # and one each for the change of the gain, the overlap, and the layers on samples
        frames = -(-subframes // self.strides[1])
        own = blocks + attention * self.attention_window + frames + 3
        return own + self.lookahead

    def to_json(self) -> dict[str, Any]:
        """Plain data, under the names that checkpoints use."""
        return {_STORED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelConfig:
        """Read a configuration: missing names are defaults, unknown ones a `TypeError`, values
        that cannot be built a `ValueError`."""
        names = {_STORED_NAMES.get(field.name, field.name): field.name for field in fields(cls)}
        unknown = set(values) - set(names)
        if unknown:
            raise TypeError(f"unknown configuration names: {', '.join(sorted(unknown))}")
        values = {names[name]: value for name, value in values.items()}
        if "strides" in values:
            values["strides"] = tuple(values["strides"])
        return cls(**values)
