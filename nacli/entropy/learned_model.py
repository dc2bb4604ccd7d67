"""ENTROPY kind 1: a learned model of the codes, all in integers.

Which codes it sees is `context`, how it turns them into frequencies is `network`. The codebooks
are part of it: their vectors say what a code means.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.context import PLAIN_INPUTS, Context, Order, Row, Vectors
from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.frequencies import ROW_MODELS, Coder, places
from nacli.entropy.high_band import HighBandTables
from nacli.entropy.integer_network import Network, Tensors
from nacli.entropy.model import ChannelCodes, EntropyModel, GainTable
from nacli.types import Doubles, Floats, Indices, Integers

ROWS = 256
"""Codes that pass through the network at a time, so that long packets need no more memory."""
MAX_OFFSET = 64
MAX_WIDTH = 1024
"""Of a layer: what a file carries inline must not make a decoder slow."""

LAYOUT: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "gains": ("<u4", GainTable.SHAPE),
    "mean_bits": ("<u2", ("stages",)),
    "multipliers": ("<u2", ("stages",)),
    "offsets": ("<i1", ("neighbours",)),
    "ranks": ("<u1", ("period",)),
    "shifts": ("<u1", (4,)),
    "frame": ("<i1", ("frame_inputs", "hidden")),
    "frame_bias": ("<i4", ("period", "hidden")),
    "own": ("<i1", ("own_inputs", "hidden")),
    "own_bias": ("<i4", ("stages", "hidden")),
    "hidden": ("<i1", ("hidden", "hidden")),
    "hidden_bias": ("<i4", ("stages", "hidden")),
    "last": ("<i1", ("hidden", "width")),
    "last_bias": ("<i4", ("stages", "width")),
    "outputs": ("<i1", ("stages", "size", "width")),
    "prior": ("<i2", ("stages", "size")),
    "exp2": ("<u4", ("steps",)),
}
"""Types and shapes of the tensors, in the order of the inline tables."""
SIZES = (
    "stages",
    "size",
    "neighbours",
    "period",
    "frame_inputs",
    "own_inputs",
    "hidden",
    "width",
    "steps",
)
"""What the names in shapes stand for; at the start of the inline tables, uint16 each."""


class LearnedModel(EntropyModel):
    """Codes predicted from the gains and from the codes that are known already."""

    KIND = 1

    def __init__(
        self,
        tensors: Tensors,
        entries: NDArray[np.int8],
        corrections: CorrectionTables | None = None,
        high: HighBandTables | None = None,
    ) -> None:
        """`tensors` as in LAYOUT, `entries` [N, size, D] of the codebooks. `ValueError` where they
        do not fit each other or a sum might not be exact, `KeyError` where one is missing."""
        self._tensors = {
            name: np.ascontiguousarray(tensors[name], dtype=dtype)
            for name, (dtype, _) in LAYOUT.items()
        }
        self._sizes = _sizes(self._tensors)
        for name, (_, shape) in LAYOUT.items():
            if self._tensors[name].shape != _resolve(shape, self._sizes):
                raise ValueError(f"the entropy model's {name} have the wrong shape")
        super().__init__(self._tensors["gains"].astype(np.int64), corrections, high)
        self.shape = (self._sizes["stages"], self._sizes["size"])
        self._check_fit(entries)
        offsets, ranks = (self._tensors[name].tolist() for name in ("offsets", "ranks"))
        self._order = Order(tuple(ranks), tuple(offsets))
        self._vectors = Vectors(entries, self._tensors["multipliers"].astype(np.int32))
        self._network = Network(self._tensors)
        self.mean_code_bits = self._tensors["mean_bits"] / 256

    def _check_fit(self, entries: NDArray[np.int8]) -> None:
        sizes, dim = self._sizes, entries.shape[2]
        frame_inputs = sizes["neighbours"] * dim + PLAIN_INPUTS
        fits = (
            entries.shape[:2] == self.shape
            and (sizes["frame_inputs"], sizes["own_inputs"]) == (frame_inputs, dim + 1)
            and all(sizes.values())
            and sizes["size"] >= 4
            and max(sizes["hidden"], sizes["width"]) <= MAX_WIDTH
        )
        if not fits:
            raise ValueError("the entropy model does not fit the codebooks")
        if np.abs(self._tensors["offsets"].astype(int)).max() > MAX_OFFSET:
            raise ValueError("the entropy model looks too far")

    def code_bits(self, channel: ChannelCodes) -> Doubles:
        bits = np.zeros(channel.codes.shape)
        for frames, stage, logits in self._predictions(channel):
            bits[frames, stage] = self._network.bits(logits, channel.codes[frames, stage])
        return bits

    def place_codes(self, channel: ChannelCodes) -> Doubles:
        """Where a code lies in its table is all that the coder takes from it, so no more is kept
        until all can be pushed in the order of decoding [M, 3]."""
        found = np.zeros((*channel.codes.shape, 3))
        for frames, stage, logits in self._predictions(channel):
            table = self._network.frequencies_less_one(logits)
            found[frames, stage] = places(table, channel.codes[frames, stage])
        return found[self._order.sequence(channel.counts)]

    def _predictions(self, channel: ChannelCodes) -> Iterator[tuple[Indices, int, Floats]]:
        """Logits for all codes of a channel that is known: frames [M], stage, logits [M, size].

        All frames of a stage at once, though a decoder has them in groups: the same integers.
        """
        around, own = (self._context(channel.gains, channel.counts) for _ in range(2))
        used = [np.flatnonzero(channel.counts > s) for s in range(channel.codes.shape[1])]
        for stage, frames in enumerate(used):
            around.add(frames, stage, channel.codes[frames, stage])
        sums = self._frame_sums(around, np.arange(len(channel.gains)))
        for stage, frames in enumerate(used):
            for part in _parts(frames):
                yield part, stage, self._logits(own, part, stage, sums[part])
            own.add(frames, stage, channel.codes[frames, stage])

    def pop_codes(
        self, coders: list[Coder], gains: list[Integers], counts: list[Integers]
    ) -> list[Integers]:
        """All channels go through the network side by side: it has many small steps, each of which
        takes about as long for one frame as for ten."""
        row = Row(self._order, [len(channel) for channel in gains])
        joined = row.join(counts)
        context = Context(self._vectors, self._order, row.join(gains), joined, row.there)
        codes = np.zeros((len(joined), self.shape[0]), dtype=np.int32)
        for group in self._order.groups(len(joined)):
            group = group[joined[group] > 0]
            sums = self._frame_sums(context, group)
            for stage in range(int(joined[group].max(initial=0))):
                used = np.flatnonzero(joined[group] > stage)
                for part in _parts(used):
                    frames = group[part]
                    logits = self._logits(context, frames, stage, sums[part])
                    table = self._network.frequencies_less_one(logits)
                    for channel, rows in row.split(frames):
                        found = coders[channel].decode(ROW_MODELS, table[rows])
                        codes[frames[rows], stage] = found
                context.add(group[used], stage, codes[group[used], stage])
        return [codes[part] for part in row.parts]

    def _context(self, gains: Integers, counts: Integers) -> Context:
        return Context(self._vectors, self._order, gains, counts)

    def _frame_sums(self, context: Context, frames: Indices) -> Floats:
        places = frames % self._sizes["period"]
        parts = [
            self._network.frame_sums(context.frame_inputs(frames[at]), places[at])
            for at in _parts(np.arange(len(frames)))
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._sizes["hidden"]), np.float32)

    def _logits(self, context: Context, frames: Indices, stage: int, sums: Floats) -> Floats:
        return self._network.logits(sums, context.own_inputs(frames, stage), stage)

    def to_bytes(self) -> bytes:
        """SIZES as uint16, then the tensors in the order of LAYOUT, little-endian; then the tables
        of the corrections and of the high band."""
        sizes = np.array([self._sizes[name] for name in SIZES], dtype="<u2")
        own = sizes.tobytes() + b"".join(self._tensors[name].tobytes() for name in LAYOUT)
        return own + self._side_bytes()


def _parts(rows: Indices) -> Iterator[Indices]:
    """Pieces of at most ROWS."""
    for start in range(0, len(rows), ROWS):
        yield rows[start : start + ROWS]


def _sizes(tensors: Tensors) -> dict[str, int]:
    """What the names in LAYOUT's shapes stand for, from the shapes that are there."""
    sizes: dict[str, int] = {}
    for name, (_, shape) in LAYOUT.items():
        for symbol, length in zip(shape, tensors[name].shape, strict=False):
            if isinstance(symbol, str):
                sizes.setdefault(symbol, length)
    return sizes


def _resolve(shape: tuple[int | str, ...], sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(sizes[n] if isinstance(n, str) else n for n in shape)
