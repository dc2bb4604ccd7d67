"""Training examples of the entropy model: the inputs of the network for the codes of packets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacli.entropy import ChannelCodes
from nacli.entropy.context import SUM_SHIFT, CodeVectors, Context, own_inputs
from nacli.quantizer.rvq import Codebooks
from training.entropy.design import Design

UNIT = 32
"""Integer that stands for 1.0 in inputs and activations."""


def input_scale(codebooks: Codebooks) -> NDArray[np.int32]:
    """Return integer multipliers of the codebooks' entries [N, ...] that give sums an RMS near
    UNIT."""
    rms = np.sqrt(np.square(codebooks.vectors).mean((1, 2)).sum())
    return np.rint(codebooks.scales / rms * (UNIT << SUM_SHIFT)).astype(np.int32)


class PacketBatch:
    """Packets of equal length, with the inputs of the network for all codes of their frames."""

    def __init__(self, packets: list[ChannelCodes], vectors: CodeVectors, design: Design) -> None:
        frames, self._stages = packets[0].codes.shape
        self._codes = np.concatenate([packet.codes for packet in packets])
        self._counts = np.concatenate([packet.counts for packet in packets])
        self._positions = np.tile(np.arange(frames) % len(design.ranks), len(packets))
        self._frame_inputs = np.concatenate([_context_inputs(p, vectors, design) for p in packets])
        self._sums = vectors.partial_sums(self._codes, self._counts)
        self.frames = np.flatnonzero(self._counts)

    def examples(self, frames: NDArray[np.intp]) -> Examples:
        """Return the examples of all codes of frames [F]."""
        row, stage = np.nonzero(np.arange(self._stages) < self._counts[frames, None])
        frame = frames[row]
        own = own_inputs(self._sums[stage, frame], self._counts[frame] - stage)
        codes = self._codes[frame, stage].astype(np.int64)
        indices = (row, stage, self._positions[frames], codes)
        arrays = (self._frame_inputs[frames], own, *indices)
        return Examples(*(torch.from_numpy(array) for array in arrays))


def _context_inputs(
    packet: ChannelCodes, vectors: CodeVectors, design: Design
) -> NDArray[np.float32]:
    """Return the context inputs [F, I] of a packet's frames."""
    context = Context(vectors, design.order, packet.gains, packet.counts)
    context.add_all(vectors.partial_sums(packet.codes, packet.counts)[-1])
    return context.frame_inputs(np.arange(len(packet.gains)))


@dataclass(frozen=True)
class Examples:
    """Inputs and codes of a step.

    `frame_inputs` [F, I] belong to frames, `code_inputs` [M, D + 1] to codes. `row` [M] is the row
    of a code's frame, `stage` [M] its stage, `code` [M] its value; `position` [F] is a frame's
    position in the period of the coding order.
    """

    frame_inputs: Tensor
    code_inputs: Tensor
    row: Tensor
    stage: Tensor
    position: Tensor
    code: Tensor
