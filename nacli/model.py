"""Encoder and Decoder networks: raw PCM to latents, and back.

Everything is causal and runs on tensors laid out [batch, time, channels]. A network holds no state
of its own: the left context of every causal layer lives in a `History`, one per stream, so the same
code trains on whole segments (a fresh history) and runs on a live pipe (a kept one).

The networks start as an exact sine-window MDCT and its transpose (Princen, Johnson and Bradley,
1987) with every residual branch at zero; training moves them from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacli.config import GAIN_LEVELS, ModelConfig

SLOPE = 0.2
"""Of the leaky ReLU in level-dependent layers. With no bias these layers scale with their input, so
quiet and loud recordings are treated alike."""


class History:
    """Left context of each causal layer of one stream; zeros before the stream starts."""

    def __init__(self) -> None:
        self._past: dict[nn.Module, Tensor] = {}

    def extend(self, layer: nn.Module, x: Tensor, length: int) -> Tensor:
        """Put the `length` steps that came before `x` [B, T, C] in front of it."""
        past = self._past.get(layer)
        if past is None:
            past = x.new_zeros(x.shape[0], length, *x.shape[2:])
        joined = torch.cat([past, x], dim=1)
        self._past[layer] = joined[:, joined.shape[1] - length :].detach()
        return joined


class ShiftMultiply(torch.autograd.Function):
    """Depthwise convolution [B, T + K - 1, C] by [K, C] as shifts and multiplies.

    On a CPU this beats Conv1d, and a backward pass written out beats what autograd records.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        steps = x.shape[1] - weight.shape[0] + 1
        y = x[:, :steps] * weight[0]
        for tap in range(1, weight.shape[0]):
            y.addcmul_(x[:, tap : tap + steps], weight[tap])
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_x, to_weight, steps = torch.zeros_like(x), torch.empty_like(weight), gradient.shape[1]
        for tap in range(weight.shape[0]):
            to_x[:, tap : tap + steps].addcmul_(gradient, weight[tap])
            to_weight[tap] = (x[:, tap : tap + steps] * gradient).sum((0, 1))
        return to_x, to_weight


class CausalDepthwise(nn.Module):
    """Depthwise convolution over time, [B, T, C] to [B, T, C]."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(kernel, channels) / math.sqrt(kernel))

    def forward(self, x: Tensor, history: History) -> Tensor:
        joined = history.extend(self, x, self.weight.shape[0] - 1)
        mixed: Tensor = ShiftMultiply.apply(joined, self.weight)  # type: ignore[no-untyped-call]
        return mixed


class CausalConv(nn.Module):
    """Stride-1 convolution over time without bias; [B, T, C_in] to [B, T, C_out]."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(
            torch.randn(outputs, inputs, kernel) / math.sqrt(inputs * kernel)
        )

    def forward(self, x: Tensor, history: History) -> Tensor:
        x = history.extend(self, x, self.kernel - 1)
        return F.conv1d(x.transpose(1, 2), self.weight).transpose(1, 2)


class FeatureLayers(nn.Module):
    """Stride-1 layers on samples: [B, T, 1] to [B, T, channels]. Channel 0 starts as the input."""

    def __init__(self, inputs: int, outputs: int, hidden: int = 8, kernel: int = 7) -> None:
        super().__init__()
        self.first = CausalConv(inputs, hidden, kernel)
        self.second = CausalConv(hidden, outputs, kernel)
        self.skip = nn.Linear(inputs, outputs, bias=False)
        with torch.no_grad():
            self.skip.weight.copy_(torch.eye(outputs, inputs))
            self.second.weight[0].zero_()

    def forward(self, x: Tensor, history: History) -> Tensor:
        hidden = F.leaky_relu(self.first(x, history), SLOPE)
        return self.skip(x) + self.second(hidden, history)


class SubframeBlock(nn.Module):
    """Residual block at the sub-frame rate; positively homogeneous (no bias, leaky ReLU)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.mix = CausalDepthwise(channels, kernel)
        self.expand = nn.Linear(channels, 2 * channels, bias=False)
        self.reduce = nn.Linear(2 * channels, channels, bias=False)
        nn.init.zeros_(self.reduce.weight)

    def forward(self, x: Tensor, history: History) -> Tensor:
        return x + self.reduce(F.leaky_relu(self.expand(self.mix(x, history)), SLOPE))


class FrameBlock(nn.Module):
    """ConvNeXt block (Liu et al., 2022) at the frame rate, an identity before training."""

    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.mix = CausalDepthwise(width, kernel)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.reduce = nn.Linear(hidden, width)
        nn.init.zeros_(self.reduce.weight)
        nn.init.zeros_(self.reduce.bias)

    def forward(self, x: Tensor, history: History) -> Tensor:
        y = self.norm(self.mix(x, history))
        return x + self.reduce(F.gelu(self.expand(y)))


class WindowAttention(nn.Module):
    """Causal self-attention over the last `window` frames, an identity before training.

    Frames before the start of the stream take part as zeros: they draw weight and add nothing,
    in training and in streaming alike.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, history: History) -> Tensor:
        batch, steps, width = x.shape
        y = self.norm(x)
        query = self._split(self.query(y))
        key, value = self.key_value(history.extend(self, y, self.window)).chunk(2, dim=-1)
        age = torch.arange(steps)[:, None] + self.window - torch.arange(steps + self.window)
        allowed = ((age >= 0) & (age <= self.window)).to(x.device)
        mixed = F.scaled_dot_product_attention(query, self._split(key), self._split(value), allowed)
        return x + self.out(mixed.transpose(1, 2).reshape(batch, steps, width))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def frame_layers(config: ModelConfig, blocks: int) -> nn.ModuleList:
    """The residual stack at the frame rate, with attention where the configuration asks for it."""
    layers: list[nn.Module] = []
    for index in range(1, blocks + 1):
        layers.append(FrameBlock(config.width, config.hidden, config.kernel))
        if config.attention_every and index % config.attention_every == 0:
            heads, window = config.attention_heads, config.attention_window
            layers.append(WindowAttention(config.width, heads, window))
    return nn.ModuleList(layers)


def run(layers: Iterable[nn.Module], x: Tensor, history: History) -> Tensor:
    for layer in layers:
        x = layer(x, history)
    return x


def mdct_basis(hop: int) -> Tensor:
    """Orthonormal sine-window MDCT: [hop coefficients, 2 * hop samples]."""
    n = torch.arange(2 * hop, dtype=torch.float64)
    k = torch.arange(hop, dtype=torch.float64)[:, None]
    phase = math.pi / hop * (n + 0.5 + hop / 2) * (k + 0.5)
    window = torch.sin(math.pi * (n + 0.5) / (2 * hop))
    return (math.sqrt(2 / hop) * window * torch.cos(phase)).float()


def _linear_from(weight: Tensor, bias: bool = False) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias:
            layer.bias.zero_()
    return layer


def _spread(basis: Tensor, config: ModelConfig) -> Tensor:
    """Lay an MDCT basis [hop, 2 * hop] over two frames of sub-frames, spare channels at zero."""
    samples, per_frame = config.strides
    wide = basis.new_zeros(basis.shape[0], 2 * per_frame, config.subframe_channels)
    wide[:, :, :samples] = basis.view(-1, 2 * per_frame, samples)
    return wide.flatten(1)


class GainScale(nn.Module):
    """Gain indices to amplitudes and to the features that tell the network the level's course."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.floor, self.step = config.gain_floor_db, config.gain_step_db
        self.feature = nn.Linear(2, config.width)
        nn.init.zeros_(self.feature.weight)
        nn.init.zeros_(self.feature.bias)

    def index(self, x: Tensor) -> Tensor:
        """Gain index [B, F] of each frame of transform coefficients [B, F, hop]."""
        rms = x.detach().square().mean(-1).sqrt()
        level = (20 * torch.log10(rms.clamp_min(1e-9)) - self.floor) / self.step
        return (torch.round(level) + 1).clamp(0, GAIN_LEVELS - 1).long()

    def amplitude(self, gains: Tensor) -> Tensor:
        """Linear amplitude [B, F, 1]; index 0 is exactly zero."""
        decibels = self.floor + self.step * (gains - 1)
        return torch.where(gains > 0, 10 ** (decibels / 20), 0.0).unsqueeze(-1)

    def features(self, gains: Tensor, history: History) -> Tensor:
        """Level and its change since the frame before, projected to the width: [B, F, width]."""
        level = (gains.float() * self.step + self.floor + 40).unsqueeze(-1) / 20
        joined = history.extend(self, level, 1)
        return self.feature(torch.cat([level, level - joined[:, :-1]], dim=-1))


def compress(x: Tensor, exponent: float) -> Tensor:
    """Signed power law with a finite slope at zero."""
    offset = 0.02
    return x.sign() * ((x.abs() + offset) ** exponent - offset**exponent)


def expand(y: Tensor, exponent: float) -> Tensor:
    """The inverse of `compress`."""
    offset = 0.02
    return y.sign() * ((y.abs() + offset**exponent) ** (1 / exponent) - offset)


class Encoder(nn.Module):
    """Samples [B, T] (T a multiple of the hop) to latents [B, F, D] and gain indices [B, F].

    Frame f sees samples up to the end of hop f; its transform covers hops f - 1 and f. Inside,
    every band is near unit size: each frame is divided by its gain, companded, and each coefficient
    by its usual size `band_scale` [hop]. Otherwise the least leak between bands would bury the
    quiet high ones under the loud low ones. The quantiser gets the bands at their own size again.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        samples, channels = config.strides[0], config.subframe_channels
        features = config.feature_channels
        self.features = FeatureLayers(1, features)
        polyphase = torch.randn(channels, samples, features) / math.sqrt(samples * features)
        polyphase[:samples] = 0
        polyphase[:samples, :, 0] = torch.eye(samples)
        self.down_samples = _linear_from(polyphase.flatten(1))
        self.subframe = nn.ModuleList(
            SubframeBlock(channels, config.kernel) for _ in range(config.subframe_blocks)
        )
        self.down_subframes = _linear_from(_spread(mdct_basis(config.hop), config))
        self.gain = GainScale(config)
        self.band_scale: Tensor
        self.register_buffer("band_scale", torch.ones(config.hop))
        self.project_in = _linear_from(torch.eye(config.width, config.hop), bias=True)
        self.layers = frame_layers(config, config.encoder_blocks)
        self.project_out = _linear_from(torch.eye(config.latent_dim, config.width), bias=True)

    def forward(self, pcm: Tensor, history: History) -> tuple[Tensor, Tensor]:
        coefficients = self.transform(pcm, history)
        gains = self.gain.index(coefficients)
        shape = compress(
            coefficients / self.gain.amplitude(gains.clamp_min(1)), self.config.compand
        )
        x = self.project_in(shape / self.band_scale) + self.gain.features(gains, history)
        x = self.project_out(run(self.layers, x, history))
        return x * self.band_scale[: x.shape[-1]], gains

    def transform(self, pcm: Tensor, history: History) -> Tensor:
        """The learned analysis transform: samples [B, T] to coefficients [B, F, hop]."""
        samples, per_frame = self.config.strides
        x = self.features(pcm.unsqueeze(-1), history)
        x = self.down_samples(x.unflatten(1, (-1, samples)).flatten(2))
        x = run(self.subframe, x, history)
        x = x.unflatten(1, (-1, per_frame)).flatten(2)
        joined = history.extend(self.down_subframes, x, 1)
        return self.down_subframes(torch.cat([joined[:, :-1], x], dim=-1))


class Decoder(nn.Module):
    """Latents [B, F, D], gain indices [B, F] and stage counts [B, F] to samples [B, F * hop].

    The output of frame f is hop f - 1 of the encoder's input: it lags by one hop.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        samples, channels = config.strides[0], config.subframe_channels
        self.band_scale: Tensor
        self.register_buffer("band_scale", torch.ones(config.hop))
        self.project_in = _linear_from(torch.eye(config.width, config.latent_dim), bias=True)
        self.gain = GainScale(config)
        self.stage_feature = nn.Embedding(config.stages + 1, config.width)
        nn.init.zeros_(self.stage_feature.weight)
        self.layers = frame_layers(config, config.decoder_blocks)
        self.project_out = _linear_from(torch.eye(config.hop, config.width), bias=True)
        self.up_subframes = _linear_from(_spread(mdct_basis(config.hop), config).T.contiguous())
        self.subframe = nn.ModuleList(
            SubframeBlock(channels, config.kernel) for _ in range(config.subframe_blocks)
        )
        features = config.feature_channels
        polyphase = torch.randn(samples, features, channels) / math.sqrt(channels)
        polyphase[:, 0] = torch.eye(samples, channels)
        self.up_samples = _linear_from(polyphase.flatten(0, 1))
        self.features = FeatureLayers(features, 1)

    def forward(self, latents: Tensor, gains: Tensor, stages: Tensor, history: History) -> Tensor:
        x = self.project_in(latents / self.band_scale[: latents.shape[-1]])
        x = x + self.gain.features(gains, history) + self.stage_feature(stages)
        x = self.project_out(run(self.layers, x, history))
        shape = expand(x * self.band_scale, self.config.compand)
        return self.inverse_transform(shape * self.gain.amplitude(gains), history)

    def inverse_transform(self, coefficients: Tensor, history: History) -> Tensor:
        """The learned synthesis transform: coefficients [B, F, hop] to samples [B, F * hop]."""
        samples, per_frame = self.config.strides
        x = self.up_subframes(coefficients)
        joined = history.extend(self.up_subframes, x, 1)
        first, second = joined[:, 1:].chunk(2, dim=-1)[0], joined[:, :-1].chunk(2, dim=-1)[1]
        x = (first + second).unflatten(2, (per_frame, -1)).flatten(1, 2)
        x = run(self.subframe, x, history)
        x = self.up_samples(x).unflatten(2, (samples, -1)).flatten(1, 2)
        return self.features(x, history).squeeze(-1)


class Networks:
    """The frozen networks of a checkpoint, NumPy in and out. Holds no state of any stream."""

    def __init__(self, config: ModelConfig, weights: dict[str, Any]) -> None:
        """Raises `RuntimeError` when the weights do not fit the configuration."""
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        for prefix, network in (("encoder.", self.encoder), ("decoder.", self.decoder)):
            state = {
                name.removeprefix(prefix): torch.from_numpy(weight).float()
                for name, weight in weights.items()
                if name.startswith(prefix)
            }
            network.load_state_dict(state)
            network.eval().requires_grad_(False)

    def new_history(self) -> History:
        """The state of a stream that is about to start."""
        return History()

    @torch.inference_mode()
    def analyze(self, pcm: Any, history: History) -> tuple[Any, Any]:
        """Samples [C, T] at 24 kHz to latents [C, F, D] float32 and gains [C, F] int32."""
        latents, gains = self.encoder(torch.from_numpy(pcm), history)
        return latents.numpy(), gains.int().numpy()

    @torch.inference_mode()
    def synthesize(self, latents: Any, gains: Any, counts: Any, history: History) -> Any:
        """Latents [C, F, D], gains, stage counts [C, F] to samples [C, F * hop], one hop late."""
        tensors = (torch.from_numpy(array) for array in (latents, gains, counts))
        first, second, third = tensors
        return self.decoder(first, second.long(), third.long(), history).numpy()
