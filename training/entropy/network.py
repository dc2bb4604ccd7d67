"""The network of the entropy model while it trains: the integer network in floating point.

A weight w stands for the integer round(w * 2**shift), an activation a for round(a * 32). With
`exact` on, the forward pass rounds as the shipped network does, and gradients pass through the
rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nacli.entropy import StaticTables
from nacli.entropy.context import SIDE_INPUTS
from nacli.entropy.integer_network import LIMIT, Tensors
from nacli.quantizer.rvq import Codebooks
from training.entropy.design import Design
from training.entropy.examples import UNIT, Examples, input_scale

SHIFTS = (9, 8, 8, 7)
"""Binary places of the weights of the four layers."""
LOGIT_UNIT = 16 / np.log(2)
"""Integer that stands for a logit of 1 nat: logits are in 1/16 of log2."""
OUTPUT_SCALE = float(LOGIT_UNIT * 2 ** SHIFTS[3] / UNIT)
"""Integer that stands for 1.0 in the output tables."""
EXP2_BITS, EXP2_STEPS = 19, 320
"""Binary places and length of the table of powers of two."""


class ContextNet(nn.Module):
    """Computes the differentiable cost of codes in bits."""

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
        """Return the mean bits of the codes of examples."""
        frame = examples.frame_inputs / UNIT @ self._weight(self.frame, 0)
        frame = frame + self.frame_bias[examples.position]
        own = examples.code_inputs / UNIT @ self._weight(self.own, 0)
        own = own + self.own_bias[examples.stage]
        x = self._activation(frame[examples.row] + own, 0)
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
        """Return `x` as far as an integer times 1 / scale can represent it."""
        x = x * scale
        return (_round(x) if self.exact else x).clamp(low, LIMIT) / scale

    @torch.no_grad()
    def export(self, codebooks: Codebooks, tables: StaticTables) -> Tensors:
        """Return the tensors of `nacli.entropy.LearnedModel`, without its `mean_bits`."""

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
    """Return initial output tables, a matrix [size, width] for each stage.

    Half of the columns are the principal components of a vector, half its RMS in each band.
    """
    vectors = torch.from_numpy(codebooks.vectors)
    components = torch.linalg.svd(vectors.flatten(0, 1), full_matrices=False)[2]
    linear = vectors @ components[: width // 2].T
    groups = vectors.tensor_split(width - width // 2, dim=-1)
    bands = torch.stack([group.square().mean(-1).sqrt() for group in groups], -1)
    parts = [part - part.mean(1, keepdim=True) for part in (linear, bands)]
    scaled = [0.3 * part / part.square().mean((1, 2), keepdim=True).sqrt() for part in parts]
    return list(torch.cat(scaled, -1).clone().unbind())


def _round(x: Tensor) -> Tensor:
    """Round half up, as the shifts of the shipped network do; the gradient passes through."""
    return x + (torch.floor(x + 0.5) - x).detach()
