"""The entropy model while it trains: the integer network in float, and batches of its inputs.

A weight w stands for the integer round(w * 2**shift), an activation a for round(a * 32); with
`exact` on, the forward pass rounds as the shipped network does and lets gradients through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nacli.entropy import ChannelCodes, StaticTables
from nacli.entropy.context import (
    SIDE_INPUTS,
    SUM_SHIFT,
    CodeVectors,
    CodingOrder,
    Context,
    quantize_sums,
)
from nacli.entropy.integer_network import LIMIT, Tensors
from nacli.quantizer.rvq import Codebooks

UNIT = 32
"""Of inputs and activations: 1.0 as an integer."""
SHIFTS = (9, 8, 8, 7)
LOGIT_UNIT = 16 / np.log(2)
"""Of a logit in nats, as an integer in 1/16 of log2."""
OUTPUT_SCALE = float(LOGIT_UNIT * 2 ** SHIFTS[3] / UNIT)
EXP2_BITS, EXP2_STEPS = 19, 320


@dataclass(frozen=True)
class Design:
    """What the model sees, in which order, and its sizes."""

    offsets: tuple[int, ...] = (-1, -2, -3, 1, 2)
    ranks: tuple[int, ...] = tuple(range(8))
    hidden: int = 192
    width: int = 48

    @property
    def order(self) -> CodingOrder:
        return CodingOrder(self.ranks, self.offsets)


DESIGNS = {
    "own": Design(offsets=(-1,), ranks=(0,)),
    "tree": Design(offsets=(-1, 1, -2, 2, -4), ranks=(0, 2, 1, 2)),
    "chains": Design(),
    "causal": Design(offsets=(-1, -2, -3), ranks=tuple(range(75))),
}
"""Orders to compare: each frame alone; from every fourth to those between; eight chains side by
side; frame after frame."""


def input_scale(codebooks: Codebooks) -> NDArray[np.int32]:
    """Integer multipliers of the codebooks' entries that give sums an RMS near UNIT."""
    rms = np.sqrt(np.square(codebooks.vectors).mean((1, 2)).sum())
    return np.rint(codebooks.scales / rms * (UNIT << SUM_SHIFT)).astype(np.int32)


class Batch:
    """Packets of equal length, and the network's inputs for all codes of any of their frames."""

    def __init__(self, packets: list[ChannelCodes], vectors: CodeVectors, design: Design) -> None:
        frames, self._stages = packets[0].codes.shape
        self._codes = np.concatenate([packet.codes for packet in packets])
        self._counts = np.concatenate([packet.counts for packet in packets])
        self._places = np.tile(np.arange(frames) % len(design.ranks), len(packets))
        self._around = np.concatenate([_frame_inputs(p, vectors, design) for p in packets])
        self._sums = self._partial_sums(vectors)
        self.frames = np.flatnonzero(self._counts)

    def _partial_sums(self, vectors: CodeVectors) -> NDArray[np.int8]:
        """Inputs [F, N, D] from the stages before each."""
        sums = np.zeros((len(self._codes), vectors.entries.shape[2]), dtype=np.int32)
        found = np.zeros((len(sums), self._stages, sums.shape[1]), dtype=np.int8)
        for stage in range(self._stages):
            found[:, stage] = quantize_sums(sums)
            used = np.flatnonzero(self._counts > stage)
            sums[used] += vectors(stage, self._codes[used, stage])
        return found

    def examples(self, frames: NDArray[np.intp]) -> Examples:
        """All codes of frames [F]."""
        row, stage = np.nonzero(np.arange(self._stages) < self._counts[frames, None])
        of = frames[row]
        left = np.minimum(4 * (self._counts[of] - stage), LIMIT).astype(np.float32)
        own = np.concatenate([self._sums[of, stage], left[:, None]], axis=1, dtype=np.float32)
        indices = (row, stage, self._places[frames], self._codes[of, stage].astype(np.int64))
        arrays = (self._around[frames], own, *indices)
        return Examples(*(torch.from_numpy(array) for array in arrays))


def _frame_inputs(
    packet: ChannelCodes, vectors: CodeVectors, design: Design
) -> NDArray[np.float32]:
    context = Context(vectors, design.order, packet.gains, packet.counts)
    for stage in range(packet.codes.shape[1]):
        used = np.flatnonzero(packet.counts > stage)
        context.add(used, stage, packet.codes[used, stage])
    return context.frame_inputs(np.arange(len(packet.gains)))


@dataclass(frozen=True)
class Examples:
    """Inputs of frames [F, I] and of codes [M, D + 1]; each code's row in the frames, stage and
    value [M]; each frame's place in the period [F]."""

    around: Tensor
    own: Tensor
    row: Tensor
    stage: Tensor
    place: Tensor
    code: Tensor


class ContextNet(nn.Module):
    """The network in float: examples to the cost of their codes, differentiable."""

    def __init__(self, design: Design, codebooks: Codebooks, tables: StaticTables) -> None:
        super().__init__()
        stages, _ = tables.shape
        self.design, self.exact = design, False
        dim, hidden, width = codebooks.vectors.shape[2], design.hidden, design.width
        inputs = len(design.offsets) * dim + SIDE_INPUTS

        def weight(rows: int, columns: int, scale: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(rows, columns) * scale / rows**0.5)

        def bias(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(rows, columns))

        self.frame, self.frame_bias = weight(inputs, hidden, 0.6), bias(len(design.ranks), hidden)
        self.own, self.own_bias = weight(dim + 1, hidden, 0.6), bias(stages, hidden)
        self.hidden, self.hidden_bias = weight(hidden, hidden, 0.8), bias(stages, hidden)
        self.last, self.last_bias = weight(hidden, width, 0.0), bias(stages, width)
        # a tensor for each stage, so that a step without a stage does not touch it
        self.outputs = nn.ParameterList(first_outputs(codebooks, width))
        share = tables.code_table / tables.code_table.max(1, keepdims=True)
        self.prior = nn.ParameterList(torch.from_numpy(np.log(share)).float().clone().unbind())

    def forward(self, examples: Examples) -> Tensor:
        """Mean bits of the codes."""
        around = examples.around / UNIT @ self._weight(self.frame, 0)
        around = around + self.frame_bias[examples.place]
        own = examples.own / UNIT @ self._weight(self.own, 0) + self.own_bias[examples.stage]
        x = self._activation(around[examples.row] + own, 0)
        x = x @ self._weight(self.hidden, 1) + self.hidden_bias[examples.stage]
        x = self._activation(x, 0)
        x = x @ self._weight(self.last, 2) + self.last_bias[examples.stage]
        x = self._activation(x, -LIMIT)
        total = x.new_zeros(())
        for stage in examples.stage.unique().tolist():
            rows = (examples.stage == stage).nonzero().squeeze(1)
            logits = x[rows] @ self._outputs(stage).T + self.prior[stage]
            if self.exact:
                logits = _round(logits * LOGIT_UNIT) / LOGIT_UNIT
            total = total + nn.functional.cross_entropy(
                logits, examples.code[rows], reduction="sum"
            )
        return total / len(examples.code) / float(np.log(2))

    def _weight(self, weight: Tensor, layer: int) -> Tensor:
        return self._limited(weight, 2.0 ** SHIFTS[layer], -LIMIT)

    def _outputs(self, stage: int) -> Tensor:
        return self._limited(self.outputs[stage], OUTPUT_SCALE, -LIMIT)

    def _activation(self, x: Tensor, low: int) -> Tensor:
        return self._limited(x, UNIT, low)

    def _limited(self, x: Tensor, scale: float, low: int) -> Tensor:
        """What remains of `x` when it is kept as an integer times 1 / scale."""
        x = x * scale
        return (_round(x) if self.exact else x).clamp(low, LIMIT) / scale

    @torch.no_grad()
    def export(self, codebooks: Codebooks, tables: StaticTables) -> Tensors:
        """The tensors of `nacli.entropy.LearnedModel`, but for its `mean_bits`."""

        def integers(tensor: Tensor, scale: float, dtype: type[np.signedinteger[Any]]) -> Any:
            limit = min(LIMIT, np.iinfo(dtype).max) if dtype is np.int8 else np.iinfo(dtype).max
            return torch.floor(tensor * scale + 0.5).clamp(-limit, limit).numpy().astype(dtype)

        layers = {"frame": 0, "own": 0, "hidden": 1, "last": 2}
        named = dict(self.named_parameters())
        weights = {n: integers(named[n], 2.0 ** SHIFTS[k], np.int8) for n, k in layers.items()}
        biases = {
            f"{n}_bias": integers(named[f"{n}_bias"], UNIT * 2.0 ** SHIFTS[k], np.int32)
            for n, k in layers.items()
        }
        steps = np.arange(EXP2_STEPS)
        return {
            **weights,
            **biases,
            "gains": tables.gain_table.astype(np.uint32),
            "multipliers": input_scale(codebooks).astype(np.uint16),
            "offsets": np.array(self.design.offsets, dtype=np.int8),
            "ranks": np.array(self.design.ranks, dtype=np.uint8),
            "shifts": np.array(SHIFTS, dtype=np.uint8),
            "outputs": integers(torch.stack(list(self.outputs)), OUTPUT_SCALE, np.int8),
            "prior": integers(torch.stack(list(self.prior)), LOGIT_UNIT, np.int16),
            "exp2": np.rint(2.0 ** (EXP2_BITS - steps / 16)).astype(np.uint32),
        }


def first_outputs(codebooks: Codebooks, width: int) -> list[Tensor]:
    """A start for the output tables [N, size, width]: half is where a vector points, by principal
    components, half how much it has in each band."""
    vectors = torch.from_numpy(codebooks.vectors)
    components = torch.linalg.svd(vectors.flatten(0, 1), full_matrices=False)[2]
    linear = vectors @ components[: width // 2].T
    groups = vectors.tensor_split(width - width // 2, dim=-1)
    bands = torch.stack([group.square().mean(-1).sqrt() for group in groups], -1)
    parts = [part - part.mean(1, keepdim=True) for part in (linear, bands)]
    scaled = [0.3 * part / part.square().mean((1, 2), keepdim=True).sqrt() for part in parts]
    return list(torch.cat(scaled, -1).clone().unbind())


def _round(x: Tensor) -> Tensor:
    """Half up, as the shifts of the shipped network do; the gradient passes."""
    return x + (torch.floor(x + 0.5) - x).detach()
