"""The configuration of a model: all sizes on which its weights depend, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

CODED_RATE = 24_000
"""Sample rate in Hz of the coded signal, which the networks see; hops are counted in it."""
MAX_PACKET_FRAMES = 4096
"""Length of the longest packet, 54 s. It bounds the memory that a reader allocates for a packet."""
GAIN_LEVELS = 81
"""Number of gain indices. 0 is digital silence, 1 is `gain_floor_db`; each further index is
`gain_step_db` more."""
ANGLE_STEPS = 256
"""Steps of a whole turn in which the angles of the stereo rotation are counted: 1.4 degrees."""
MAX_LOOKAHEAD = 8
"""Largest look-ahead in frames: with more delay, people in a call would hear an echo of
themselves."""
UPSAMPLINGS = ("subpixel", "transposed", "interpolation")


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of Encoder, quantiser and Decoder. Rates are in Hz, gains in dB relative to full scale.

    Raises `ValueError` for sizes that contradict each other.
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
    """Blocks between windowed attention layers; 0 means that there are none."""
    attention_window: int = 64
    attention_heads: int = 4
    recurrent_layers: int = 0
    """Gated recurrent layers after the blocks of each network."""
    lookahead: int = 2
    """Later frames on which the Decoder's output for a frame depends; see
    `nacli/networks/torch_engine/lookahead.py`."""
    pair_blocks: int = 0
    """Residual blocks on pairs of sub-frames, between the sub-frame blocks and the frames."""
    upsampling: str = "subpixel"
    """How the Decoder turns sub-frames into samples; see
    `nacli/networks/torch_engine/upsampling.py`."""
    normalize: bool = True
    """Divide each frame by its level before the network sees it."""
    latent_dim: int = 160
    compand: float = 0.6
    """Exponent of the signed power law between the network and the quantiser."""
    emphasis: float = 0.25
    """Exponent of the weighting of latents before training: by frequency to the power of minus
    this, so that squared errors count for more where hearing is more sensitive."""
    stages: int = 16
    codebook_size: int = 1024
    quantizer_groups: int = 1
    """Groups into which the latents are split; stage s quantises group s modulo this number."""
    correction_stages: int = 3
    """Largest number of codes for the envelope corrections of a span; 0 means no corrections."""
    correction_frames: int = 2
    """Frames of a span, which share one envelope correction."""
    correction_fine: int = 7
    """Stage count from which on spans have one frame: it is enough if one frame of the packet has
    this count."""
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
        """Frames before a frame on which its completed samples may depend; None means all."""
        if self.recurrent_layers:
            return None
        blocks = self.decoder_blocks * (self.kernel - 1)
        attention = self.decoder_blocks // self.attention_every if self.attention_every else 0
        subframes = (self.subframe_blocks + 2 * self.pair_blocks) * (self.kernel - 1)
        subframes += 0 if self.upsampling == "subpixel" else 2
        # Three more: for the change of the gain, the overlap, and the layers on samples.
        frames = -(-subframes // self.strides[1])
        own = blocks + attention * self.attention_window + frames + 3
        return own + self.lookahead

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as checkpoints store it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelConfig:
        """Read a configuration; missing fields have their defaults.

        Raises:
            TypeError: a name is unknown.
            ValueError: the values contradict each other.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise TypeError(f"unknown configuration names: {', '.join(sorted(unknown))}")
        if "strides" in values:
            values = values | {"strides": tuple(values["strides"])}
        return cls(**values)
