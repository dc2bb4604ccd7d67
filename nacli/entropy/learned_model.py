"""ENTROPY kind 1: the learned model, a small network in integer arithmetic.

`context` defines which codes the network sees, `integer_network` how it computes frequencies. The
codebooks are part of the model: the network sees the vectors of the codes, not their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.channel_codes import ChannelCodes
from nacli.entropy.context import (
    SIDE_INPUTS,
    CodeVectors,
    CodingOrder,
    Context,
    JoinedChannels,
    own_inputs,
)
from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.frequencies import ROW_PER_SYMBOL, Coder, code_intervals
from nacli.entropy.gains import GainTable
from nacli.entropy.high_band import HighBandTables
from nacli.entropy.integer_network import Network, Tensors
from nacli.entropy.model import EntropyModel
from nacli.types import Doubles, Floats, Indices, Integers

BATCH_CODES = 128
"""Number of codes that pass the network at a time, so that their working set stays in the
cache."""
MAX_OFFSET = 64
"""Largest distance in frames between a frame and a neighbour whose codes it sees."""
MAX_WIDTH = 1024
"""Largest width of a layer: a model that a file carries must not make the decoder slow."""

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
"""Types and shapes of the tensors, in the order in which a file carries them. Names in the shapes
are those of SIZES."""
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
"""Names of sizes in LAYOUT, in the order in which a file carries their values."""


class LearnedModel(EntropyModel):
    """Predicts codes from gains, stage counts, and the codes that are coded before."""

    KIND = 1

    def __init__(
        self,
        tensors: Tensors,
        entries: NDArray[np.int8],
        corrections: CorrectionTables | None = None,
        high: HighBandTables | None = None,
    ) -> None:
        """Set up the model.

        Args:
            tensors: as in LAYOUT.
            entries: codebook entries [N, size, D].
            corrections, high: tables of corrections and high band, if the model has them.

        Raises:
            ValueError: tensors and entries do not fit each other, or a sum might not be exact.
            KeyError: a tensor is missing.
        """
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
        self._order = CodingOrder(tuple(ranks), tuple(offsets))
        self._vectors = CodeVectors(entries, self._tensors["multipliers"].astype(np.int32))
        self._network = Network(self._tensors)
        self.mean_code_bits = self._tensors["mean_bits"] / 256

    def _check_fit(self, entries: NDArray[np.int8]) -> None:
        """Raise `ValueError` unless the sizes fit the codebook entries [N, size, D]."""
        sizes, dim = self._sizes, entries.shape[2]
        frame_inputs = sizes["neighbours"] * dim + SIDE_INPUTS
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
            raise ValueError("the entropy model sees frames that are too far away")

    def packet_bits(self, channels: list[ChannelCodes]) -> list[Doubles]:
        joined, packet = self._joined(channels)
        bits = np.zeros(packet.codes.shape)
        for at, logits in self._predictions(packet, joined.present):
            bits[at] = self._network.bits(logits, packet.codes[at])
        rows = zip(joined.parts, channels, strict=True)
        return [bits[part, : channel.codes.shape[1]] for part, channel in rows]

    def place_codes(self, channels: list[ChannelCodes]) -> list[Doubles]:
        joined, packet = self._joined(channels)
        intervals = np.zeros((*packet.codes.shape, 3))
        for at, logits in self._predictions(packet, joined.present):
            less_one = self._network.frequencies_less_one(logits)
            intervals[at] = code_intervals(less_one, packet.codes[at])
        rows = zip(joined.parts, channels, strict=True)
        return [intervals[part][self._order.sequence(channel.counts)] for part, channel in rows]

    def _joined(self, channels: list[ChannelCodes]) -> tuple[JoinedChannels, ChannelCodes]:
        """Join known channels to one, so that they pass the network together."""
        joined = JoinedChannels(self._order, [len(channel.gains) for channel in channels])
        depth = max(channel.codes.shape[1] for channel in channels)
        codes = np.zeros((len(joined.present), depth), dtype=np.int32)
        for part, channel in zip(joined.parts, channels, strict=True):
            codes[part, : channel.codes.shape[1]] = channel.codes
        gains, counts = ([getattr(c, name) for c in channels] for name in ("gains", "counts"))
        return joined, ChannelCodes(joined.join(gains), codes, joined.join(counts))

    def _predictions(
        self, channel: ChannelCodes, present: Integers
    ) -> Iterator[tuple[tuple[Indices, Indices], Floats]]:
        """Yield the logits of all codes of known channels that are joined to one: the frames [M]
        and stages [M] of codes, and their logits [M, size]. `present` is as in `JoinedChannels`.

        Codes of all frames and stages are computed together. A decoder computes them by groups and
        stages, and gets the same integers.
        """
        counts = channel.counts
        context = Context(self._vectors, self._order, channel.gains, counts, present)
        partial_sums = self._vectors.partial_sums(channel.codes, counts)
        context.add_all(partial_sums[-1])
        with_codes = np.flatnonzero(counts)
        sums = np.zeros((len(present), self._sizes["hidden"]), dtype=np.float32)
        sums[with_codes] = self._frame_sums(context, with_codes)
        for part in _batches(np.argwhere(np.arange(len(partial_sums))[:, None] < counts)):
            stages, frames = part.T
            own = own_inputs(partial_sums[stages, frames], counts[frames] - stages)
            features = self._network.features(sums[frames], own, stages)
            logits = np.empty((len(part), self.shape[1]), dtype=np.float32)
            for stage in range(stages[0], stages[-1] + 1):
                rows = slice(*np.searchsorted(stages, (stage, stage + 1)))
                self._network.logits(features[rows], stage, out=logits[rows])
            yield (frames, stages), logits

    def pop_codes(
        self, coders: list[Coder], gains: list[Integers], counts: list[Integers]
    ) -> list[Integers]:
        """Decode one channel from each of several coders.

        All channels pass the network together: it has many small steps, each of which takes about
        as long for ten frames as for one.
        """
        channels = JoinedChannels(self._order, [len(channel) for channel in gains])
        joined = channels.join(counts)
        inputs = (channels.join(gains), joined, channels.present)
        context = Context(self._vectors, self._order, *inputs)
        codes = np.zeros((len(joined), self.shape[0]), dtype=np.int32)
        for group in self._order.groups(len(joined)):
            group = group[joined[group] > 0]
            sums = self._frame_sums(context, group)
            for stage in range(int(joined[group].max(initial=0))):
                used = np.flatnonzero(joined[group] > stage)
                for part in _batches(used):
                    frames = group[part]
                    own = context.own_inputs(frames, stage)
                    features = self._network.features(sums[part], own, stage)
                    logits = self._network.logits(features, stage)
                    less_one = self._network.frequencies_less_one(logits)
                    for channel, rows in channels.split(frames):
                        decoded = coders[channel].decode(ROW_PER_SYMBOL, less_one[rows])
                        codes[frames[rows], stage] = decoded
                context.add(group[used], stage, codes[group[used], stage])
        return [codes[part] for part in channels.parts]

    def _frame_sums(self, context: Context, frames: Indices) -> Floats:
        """Return the part of the first layer [M, H] that all codes of frames [M] share."""
        positions = frames % self._sizes["period"]
        parts = [
            self._network.frame_sums(context.frame_inputs(frames[at]), positions[at])
            for at in _batches(np.arange(len(frames)))
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._sizes["hidden"]), np.float32)

    def to_bytes(self) -> bytes:
        """Return the SIZES as uint16, the tensors in the order of LAYOUT, and the tables of
        corrections and high band; little-endian."""
        sizes = np.array([self._sizes[name] for name in SIZES], dtype="<u2")
        own = sizes.tobytes() + b"".join(self._tensors[name].tobytes() for name in LAYOUT)
        return own + self._side_bytes()


def _batches(indices: Indices) -> Iterator[Indices]:
    """Split indices [M, ...] into parts of at most BATCH_CODES."""
    for start in range(0, len(indices), BATCH_CODES):
        yield indices[start : start + BATCH_CODES]


def _sizes(tensors: Tensors) -> dict[str, int]:
    """Return the values of SIZES, taken from the shapes of the tensors."""
    sizes: dict[str, int] = {}
    for name, (_, shape) in LAYOUT.items():
        for size_name, length in zip(shape, tensors[name].shape, strict=False):
            if isinstance(size_name, str):
                sizes.setdefault(size_name, length)
    return sizes


def _resolve(shape: tuple[int | str, ...], sizes: dict[str, int]) -> tuple[int, ...]:
    """Return a shape of LAYOUT with values in place of the names of sizes."""
    return tuple(sizes[n] if isinstance(n, str) else n for n in shape)
