"""The names and shapes of the networks' tensors in a checkpoint, and access to them.

Weights of linear layers are [inputs, outputs]: a product of few rows with such a matrix takes less
time than with a transposed view.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.config import ModelConfig
from nacli.types import Floats

Shapes = dict[str, tuple[int, ...]]

HIDDEN_FEATURES = 8
"""Features between the two convolutions at the sample rate."""
FEATURE_KERNEL = 7
"""Taps of the convolutions at the sample rate."""


_FIELDS = np.uint32(0x8FFFE000).astype(np.int32)
"""The bits of a float32 that a float16 fills: sign, five bits of the exponent, and fraction."""
_BIAS = np.float32(2.0**112)
"""Ratio of the values of the same exponent bits in a float16 and a float32."""


_PART = 16_384
"""Values that are widened at a time, so that intermediate values stay in the cache."""


class Weights:
    """The float32 tensors whose names have one prefix. Keys are the names without the prefix.
    A layer may change the tensors that it takes, so no other layer may take the same."""

    def __init__(self, tensors: Mapping[str, Floats], prefix: str = "") -> None:
        self._tensors, self._prefix = tensors, prefix

    def __getitem__(self, name: str) -> Floats:
        return self._tensors[self._prefix + name]

    def under(self, prefix: str) -> Weights:
        """Return the tensors whose names continue with `prefix`."""
        return Weights(self._tensors, self._prefix + prefix)


def float_weights(tensors: Mapping[str, NDArray[Any]], prefix: str = "") -> Weights:
    """Return copies of the tensors whose names have this prefix.

    They share one block of memory: the system can provide it in large pages, which takes a third of
    the time that many small blocks take when they are first written.
    """
    named = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    block = np.empty(sum(tensor.size for tensor in named.values()), dtype=np.float32)
    views, start = {}, 0
    for name, tensor in named.items():
        view = block[start : start + tensor.size]
        _widen(tensor.reshape(-1), view)
        views[name.removeprefix(prefix)] = view.reshape(tensor.shape)
        start += tensor.size
    return Weights(views)


def _widen(values: NDArray[Any], out: Floats) -> None:
    """Write float16 values [n] to `out` as float32. NumPy's own conversion takes twice as long.

    The fields of a float16 are moved to their places in a float32. The product by a power of two
    then corrects the bias of the exponent, exactly, also for subnormal values. Infinities and NaNs,
    which no weights are, would become large numbers.
    """
    if values.dtype != np.float16:
        out[:] = values
        return
    halves, fields = values.view(np.int16), out.view(np.int32)
    for at in range(0, len(values), _PART):
        part = slice(at, at + _PART)
        fields[part] = halves[part]
        fields[part] <<= 13
        fields[part] &= _FIELDS
        out[part] *= _BIAS


def check_weights(config: ModelConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Raise `ValueError` unless `tensors` are those of the configuration, with their shapes."""
    expected = {f"encoder.{name}": shape for name, shape in _encoder_shapes(config).items()}
    expected |= {f"decoder.{name}": shape for name, shape in _decoder_shapes(config).items()}
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ValueError(f"the network's {missing[0]} is missing")
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise ValueError(f"the network has no {unknown[0]}")
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ValueError(f"the network's {name} is {tensors[name].shape}, not {shape}")


def _encoder_shapes(config: ModelConfig) -> Shapes:
    width, channels, (samples, per_frame) = config.width, config.subframe_channels, config.strides
    return {
        **_feature_shapes(1, config.feature_channels),
        "down_samples.weight": (samples * config.feature_channels, channels),
        "down_subframes.weight": (2 * per_frame * channels, config.hop),
        **_shared_shapes(config, config.encoder_blocks),
        "project_in.weight": (config.hop, width),
        "project_out.weight": (width, config.latent_dim),
        "project_out.bias": (config.latent_dim,),
    }


def _decoder_shapes(config: ModelConfig) -> Shapes:
    width, channels, (samples, per_frame) = config.width, config.subframe_channels, config.strides
    later = config.lookahead * (config.latent_dim + 2)
    return {
        **_feature_shapes(config.feature_channels, 1),
        "up_samples.weight": (channels, samples * config.feature_channels),
        "up_subframes.weight": (config.hop, 2 * per_frame * channels),
        **_shared_shapes(config, config.decoder_blocks),
        "project_in.weight": (config.latent_dim, width),
        "project_out.weight": (width, config.hop),
        "project_out.bias": (config.hop,),
        "stage_feature.weight": (config.stages + 1, width),
        **({"lookahead.layers.0.weight": (later, width)} if later else {}),
    }


def _feature_shapes(inputs: int, outputs: int) -> Shapes:
    return {
        "features.first.weight": (HIDDEN_FEATURES, inputs, FEATURE_KERNEL),
        "features.second.weight": (outputs, HIDDEN_FEATURES, FEATURE_KERNEL),
        "features.skip.weight": (inputs, outputs),
    }


def _shared_shapes(config: ModelConfig, blocks: int) -> Shapes:
    """Return the shapes of the layers that both networks have."""
    shapes: Shapes = {
        "band_scale": (config.hop,),
        "gain.feature.weight": (2, config.width),
        "gain.feature.bias": (config.width,),
        "project_in.bias": (config.width,),
    }
    channels = config.subframe_channels
    for index in range(config.subframe_blocks):
        shapes |= {
            f"subframe.{index}.mix.weight": (config.kernel, channels),
            f"subframe.{index}.expand.weight": (channels, 2 * channels),
            f"subframe.{index}.reduce.weight": (2 * channels, channels),
        }
    for index in range(blocks):
        shapes |= {f"layers.{index}.{name}": s for name, s in _block_shapes(config).items()}
    return shapes


def _block_shapes(config: ModelConfig) -> Shapes:
    width, hidden = config.width, config.hidden
    return {
        "mix.weight": (config.kernel, width),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "expand.weight": (width, hidden),
        "expand.bias": (hidden,),
        "reduce.weight": (hidden, width),
        "reduce.bias": (width,),
    }
