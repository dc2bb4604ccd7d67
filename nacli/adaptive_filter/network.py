"""The network of the adaptive filter: from what it sees of windows to the gains of their
stretches."""

from __future__ import annotations

import numpy as np

from nacli.adaptive_filter.sizes import AFTER, MOST_BEFORE, NEIGHBOURS, OTHER_INPUTS
from nacli.dsp.filterbank import BANDS
from nacli.networks.numpy_engine.activations import normalize
from nacli.networks.numpy_engine.layers import Depthwise, State
from nacli.networks.numpy_engine.weights import Shapes, Weights, float_weights
from nacli.tensor_file import Tensors
from nacli.types import Floats

AROUND = 2 * NEIGHBOURS + 1
"""Windows whose levels and features the network sees."""


class FilterNetwork:
    """The weights of the network, and the sizes that their shapes give.

    `features` is the width of the Decoder, `before` the number of periods before a window that the
    comb filter uses, and `shifted` the number of its stretches beside the window itself.
    """

    def __init__(self, tensors: Tensors) -> None:
        """Take the tensors of a checkpoint by their names after `filter.`. Raises `KeyError` where
        one is missing and `ValueError` where they do not fit each other."""
        _, self.width = _matrix(tensors, "enter.weight")
        self.features, columns = _matrix(tensors, "project.weight")
        self.kernel, _ = _matrix(tensors, "layers.0.mix.weight")
        _, self.hidden = _matrix(tensors, "layers.0.expand.weight")
        self.blocks = sum(name.endswith(".mix.weight") for name in tensors)
        self.projected = columns // 2
        self.shifted = _matrix(tensors, "leave.weight")[1] // BANDS - 1
        self.before = self.shifted - AFTER
        self._check(tensors)
        weights = float_weights(tensors)
        self._project = weights["project.weight"]
        self._project_bias = weights["project.bias"]
        self._enter = self._neighbours_first(weights["enter.weight"])
        self._enter_bias = weights["enter.bias"]
        self._layers = [Block(weights.under(f"layers.{n}.")) for n in range(self.blocks)]
        self._leave, self._leave_bias = weights["leave.weight"], weights["leave.bias"]

    @property
    def inputs(self) -> int:
        """Number of inputs of the network."""
        return AROUND * (BANDS + self.projected) + self.shifted * BANDS + OTHER_INPUTS

    def _check(self, tensors: Tensors) -> None:
        if not AFTER <= self.before <= MOST_BEFORE:
            raise ValueError(f"the adaptive filter uses {self.before} periods before a window")
        expected = _shapes(self)
        if unknown := sorted(tensors.keys() - expected.keys()):
            raise ValueError(f"the adaptive filter has no {unknown[0]}")
        for name, shape in expected.items():
            if tensors[name].shape != shape:
                found = tensors[name].shape
                raise ValueError(f"the adaptive filter's {name} is {found}, not {shape}")

    def _neighbours_first(self, weight: Floats) -> Floats:
        """Reorder the rows of `weight` [inputs, width] for levels and features, which torch orders
        by band and then by neighbour, by neighbour first: such inputs are copied in one piece."""
        ends = np.cumsum([AROUND * BANDS, AROUND * self.projected])
        levels, features, rest = np.split(weight, ends)
        parts = [x.reshape(-1, AROUND, self.width).swapaxes(0, 1) for x in (levels, features)]
        return np.concatenate([*(x.reshape(-1, self.width) for x in parts), rest])

    def project(self, features: Floats) -> Floats:
        """Return the projections [2 F, projected] for half hops of the Decoder's features
        [F, features]."""
        return (features @ self._project + self._project_bias).reshape(-1, self.projected)

    def gains(self, inputs: Floats, state: State) -> Floats:
        """Return the gains [W, 1 + shifted, BANDS] of the stretches of windows with these inputs
        [W, n]. Before the level is applied they sum to 1, so that the comb filter keeps what
        repeats itself."""
        x: Floats = inputs @ self._enter
        x += self._enter_bias
        for layer in self._layers:
            x = layer(x, state)
        x = x @ self._leave
        x += self._leave_bias
        gains = x.reshape(len(x), -1, BANDS)
        level: Floats = np.exp(gains[:, :1].clip(-4, 2))
        np.subtract(1, gains[:, 1:].sum(1), out=gains[:, 0])
        gains *= level
        return gains


class Block:
    """A residual block of a depthwise convolution and two layers. The weights of its LayerNorm are
    part of the layer that follows."""

    def __init__(self, weights: Weights) -> None:
        self._mix = Depthwise(weights["mix.weight"])
        expand = weights["expand.weight"]
        self._expand = weights["norm.weight"][:, None] * expand
        self._expand_bias = weights["norm.bias"] @ expand + weights["expand.bias"]
        self._reduce, self._reduce_bias = weights["reduce.weight"], weights["reduce.bias"]

    def __call__(self, x: Floats, state: State) -> Floats:
        """Add the block's branch to `x` [W, width] in place, and return `x`."""
        hidden = normalize(self._mix(x, state)) @ self._expand
        hidden += self._expand_bias
        x += np.maximum(hidden, 0, out=hidden) @ self._reduce
        x += self._reduce_bias
        return x


def _matrix(tensors: Tensors, name: str) -> tuple[int, int]:
    """Return the shape of a tensor, or raise `ValueError` if it is no matrix or is empty."""
    tensor = tensors[name]
    if tensor.ndim != 2 or not tensor.size:
        raise ValueError(f"the adaptive filter's {name} is {tensor.shape}")
    rows, columns = tensor.shape
    return rows, columns


def _shapes(network: FilterNetwork) -> Shapes:
    width, hidden = network.width, network.hidden
    shapes: Shapes = {}
    for layer, inputs, outputs in (
        ("project", network.features, 2 * network.projected),
        ("enter", network.inputs, width),
        ("leave", width, (1 + network.shifted) * BANDS),
        *((f"layers.{n}.expand", width, hidden) for n in range(network.blocks)),
        *((f"layers.{n}.reduce", hidden, width) for n in range(network.blocks)),
    ):
        shapes |= {f"{layer}.weight": (inputs, outputs), f"{layer}.bias": (outputs,)}
    for n in range(network.blocks):
        shapes |= {f"layers.{n}.norm.{name}": (width,) for name in ("weight", "bias")}
        shapes[f"layers.{n}.mix.weight"] = (network.kernel, width)
    return shapes
