"""Residual vector quantisation: latents to codes, and back.

Each stage quantises what the stages before it left over (Juang and Gray, 1982); the sum of the
chosen vectors is the quantised latent. The search keeps several candidate sums alive, since the
nearest vector of a stage is not always the best start for the next.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Floats = NDArray[np.float32]

BLOCK = 128
"""Frames that are searched at a time: what they cost stays in the cache, and long packets need no
more memory."""
MAX_ENTRIES = 1 << 23
"""Numbers in the codebooks of a file, which take ten times as many bytes in use."""


class Codebooks:
    """Codebooks [N, size, D] as stored: int8 entries and one scale per stage.

    The quantiser and the decoder both use exactly these values, so an inline copy in a file and
    the checkpoint's own are interchangeable. `trims` are those of trims, which travel with them.
    """

    def __init__(
        self, entries: NDArray[np.int8], scales: Floats, trims: Codebooks | None = None
    ) -> None:
        self.entries, self.scales, self.trims = entries, scales, trims
        self.vectors: Floats = entries.astype(np.float32)
        self.vectors *= scales.astype(np.float32)[:, None, None]

    @cached_property
    def energies(self) -> Floats:
        """Of the vectors [N, size]."""
        energies: Floats = np.empty(self.vectors.shape[:2], dtype=np.float32)
        for own, vectors in zip(energies, self.vectors, strict=True):
            own[:] = np.square(vectors).sum(-1)
        return energies

    @cached_property
    def half_energies(self) -> Floats:
        """Half of `energies`, for the search of one vector: nearest is the least of these less the
        product with each."""
        half: Floats = self.energies / np.float32(2)
        return half

    @property
    def stages(self) -> int:
        return len(self.entries)

    @classmethod
    def from_vectors(cls, vectors: Floats, trims: Codebooks | None = None) -> Codebooks:
        """Round trained codebooks [N, size, D] to int8."""
        scales = (np.abs(vectors).max((1, 2)) / 127).astype(np.float32)
        rounded = np.rint(vectors / scales[:, None, None]).clip(-127, 127)
        return cls(rounded.astype(np.int8), scales, trims)

    @cached_property
    def digest(self) -> bytes:
        """The start of the SHA-256 of `to_bytes`, by which a file names these tables."""
        return hashlib.sha256(self.to_bytes()).digest()[:8]

    def to_bytes(self) -> bytes:
        """Shape as three uint16, scales as float32, entries as int8; little-endian. Then the same
        of the trims, where there are any."""
        shape = np.array(self.entries.shape, dtype="<u2")
        own = shape.tobytes() + self.scales.astype("<f4").tobytes() + self.entries.tobytes()
        return own + (self.trims.to_bytes() if self.trims else b"")

    @classmethod
    def from_bytes(cls, blob: bytes) -> Codebooks:
        """Read what `to_bytes` wrote; `ValueError` when lengths or values do not fit."""
        if len(blob) < 6:
            raise ValueError("codebooks are cut short")
        stages, size, dim = (int(n) for n in np.frombuffer(blob[:6], dtype="<u2"))
        start = 6 + 4 * stages
        end = start + stages * size * dim
        if not stages or not size or not dim or len(blob) < end:
            raise ValueError("codebooks do not have the length that their shape says")
        if stages * size * dim > MAX_ENTRIES:
            raise ValueError(f"codebooks have more than {MAX_ENTRIES} numbers")
        scales = np.frombuffer(blob[6:start], dtype="<f4").astype(np.float32)
        if not np.isfinite(scales).all():
            raise ValueError("codebooks have a scale that is no number")
        entries = np.frombuffer(blob[start:end], dtype=np.int8).reshape(stages, size, dim)
        trims = cls.from_bytes(blob[end:]) if end < len(blob) else None
        if trims and trims.trims:
            raise ValueError("codebooks do not have the length that their shape says")
        return cls(entries, scales, trims)


class Found(NamedTuple):
    """What a search found: `paths` [depth, F, depth], whose row k - 1 holds each frame's best k
    codes, and `errors` [depth + 1, F], the squared errors that k of them leave."""

    paths: Codes
    errors: Floats


def search(
    latents: Floats, codebooks: Codebooks, depth: int, beam: int = 4, costs: Floats | None = None
) -> Found:
    """The best codes of latents [F, D] for every number of stages to `depth`.

    The best leave the least squared error or, where codes have `costs` [N, size] of their own, have
    the least sum of both. The search keeps the `beam` best of every frame from stage to stage, so a
    path is not always the start of the next longer one.
    """
    costs = np.zeros_like(codebooks.energies) if costs is None else costs
    starts = range(0, max(1, len(latents)), BLOCK)
    parts = [_search(latents[at : at + BLOCK], codebooks, depth, beam, costs) for at in starts]
    return Found(*(np.concatenate(part, axis=1) for part in zip(*parts, strict=True)))


def _search(latents: Floats, codebooks: Codebooks, depth: int, beam: int, costs: Floats) -> Found:
    best = np.zeros((depth, len(latents), depth), dtype=np.int32)
    errors = np.empty((depth + 1, len(latents)), dtype=np.float32)
    errors[0] = np.square(latents).sum(1)
    residual, row = latents[:, None, :], np.arange(len(latents))[:, None]
    paths = np.zeros((len(latents), 1, 0), dtype=np.int32)
    cost = np.zeros((len(latents), 1), dtype=np.float32)
    for stage in range(depth):
        parent, code, cost = extend(residual, cost, costs[stage], codebooks, stage, beam)
        residual = residual[row, parent] - codebooks.vectors[stage][code]
        paths = np.concatenate([paths[row, parent], code[:, :, None]], axis=2)
        best[stage, :, : stage + 1] = paths[:, 0]
        errors[stage + 1] = np.square(residual[:, 0]).sum(1)
    return Found(best, errors)


def extend(
    residual: Floats, cost: Floats, own: Floats, codebooks: Codebooks, stage: int, beam: int
) -> tuple[NDArray[np.intp], Codes, Floats]:
    """The best ways to add a code of a stage to the sums of each frame, whose residuals are
    [F, W, D] and which cost [F, W] so far: from which sum, by which code, at what cost, [F, beam]
    each. `own` [F, W, size], or [size], is what each code costs beyond the error that it leaves;
    the latents' own energy, which all share, is left out.
    """
    frames, width, dim = residual.shape
    # |r - v|^2 = |r|^2 - 2 r v + |v|^2, in one array: memory is what this costs
    doubled = -2 * residual.reshape(-1, dim)
    total = (doubled @ codebooks.vectors[stage].T).reshape(frames, width, -1)
    total += codebooks.energies[stage] + own
    total += cost[:, :, None]
    chosen, best = smallest(total.reshape(frames, -1), beam)
    parent, code = np.divmod(chosen, codebooks.vectors.shape[1])
    return parent, code.astype(np.int32), best


def select(paths: Codes, counts: Codes) -> Codes:
    """Codes [F, depth] from `search`: frame f's best path of `counts[f]` codes, 0 after them."""
    chosen = paths[np.maximum(counts - 1, 0), np.arange(len(counts))]
    return np.where(np.arange(paths.shape[2]) < counts[:, None], chosen, 0).astype(np.int32)


def smallest(cost: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    """Indices [F, count] of the smallest values of each row, and these, ascending; ties to the
    first. `cost` is spoilt."""
    row, found, values = np.arange(len(cost)), [], []
    for _ in range(min(count, cost.shape[1])):
        best = cost.argmin(1)
        values.append(cost[row, best])
        cost[row, best] = np.inf
        found.append(best)
    return np.stack(found, axis=1), np.stack(values, axis=1)


def dequantize(codes: Codes, counts: Codes, codebooks: Codebooks) -> Floats:
    """Latents [F, D] of codes [F, N]: each frame's sum over its first `counts[f]` vectors."""
    latents = np.zeros((len(codes), codebooks.vectors.shape[2]), dtype=np.float32)
    for stage in range(int(counts.max(initial=0))):
        used = np.flatnonzero(counts > stage)
        latents[used] += codebooks.vectors[stage][codes[used, stage]]
    return latents
