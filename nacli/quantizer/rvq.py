"""Residual vector quantisation: the codebooks, and codes to latents.

Each stage quantises the residual of the stages before it (Juang and Gray, 1982); the sum of the
chosen vectors is the quantised latent. `nacli/encoder/code_search.py` finds the codes.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nacli.types import Floats, Integers

ALL = slice(None)
"""All codes of a stage."""


class Codebooks:
    """Codebooks [N, size, D] as stored: int8 entries and one scale per stage.

    The search and the decoder both use exactly these values.
    """

    def __init__(
        self, entries: NDArray[np.int8], scales: Floats, corrections: Codebooks | None = None
    ) -> None:
        """Take entries [N, size, D] and scales [N]; `corrections` are the codebooks of the envelope
        corrections, which a file names together with these."""
        self.entries, self.scales, self.corrections = entries, scales, corrections

    @cached_property
    def vectors(self) -> Floats:
        """The vectors [N, size, D]. The search of corrections and the training use all of them."""
        return np.stack([self.vectors_of(stage) for stage in range(self.stages)])

    def vectors_of(self, stage: int, codes: Integers | slice = ALL) -> Floats:
        """Return the vectors [..., D] of codes [...] of one stage; [size, D] of all its codes."""
        return self.entries[stage, codes].astype(np.float32) * np.float32(self.scales[stage])

    @cached_property
    def energies(self) -> Floats:
        """The squared lengths of the vectors [N, size]."""
        rows = [np.square(self.vectors_of(stage)).sum(-1) for stage in range(self.stages)]
        return np.stack(rows)

    def search_matrix(self, stage: int) -> Floats:
        """Return the matrix [D + 1, size] for the search of the vectors of a stage nearest to a few
        targets: the nearest vector has the largest product with the target, less half of its own
        energy. Targets have a last element of 1."""
        matrix: Floats = np.empty((self.dim + 1, self.size), dtype=np.float32)
        matrix[:-1], matrix[-1] = self.vectors_of(stage).T, -self.energies[stage] / 2
        return matrix

    @cached_property
    def search_matrices(self) -> Floats:
        """The search matrices of all stages [N, D + 1, size]."""
        return np.stack([self.search_matrix(stage) for stage in range(self.stages)])

    @property
    def stages(self) -> int:
        """The number of stages N."""
        return len(self.entries)

    @property
    def size(self) -> int:
        """The number of codes of a stage."""
        return self.entries.shape[1]

    @property
    def dim(self) -> int:
        """The dimension D of the vectors."""
        return self.entries.shape[2]

    @classmethod
    def from_vectors(cls, vectors: Floats, corrections: Codebooks | None = None) -> Codebooks:
        """Round trained codebooks [N, size, D] to int8, with the scale that fits each stage."""
        scales = (np.abs(vectors).max((1, 2)) / 127).astype(np.float32)
        rounded = np.rint(vectors / scales[:, None, None]).clip(-127, 127)
        return cls(rounded.astype(np.int8), scales, corrections)

    @cached_property
    def digest(self) -> bytes:
        """The start of the SHA-256 of `to_bytes`, by which a file names these tables."""
        return hashlib.sha256(self.to_bytes()).digest()[:8]

    def to_bytes(self) -> bytes:
        """Return the shape as three uint16, scales as float32 and entries as int8, all
        little-endian; then the same of the corrections, if there are any."""
        shape = np.array(self.entries.shape, dtype="<u2")
        own = shape.tobytes() + self.scales.astype("<f4").tobytes() + self.entries.tobytes()
        return own + (self.corrections.to_bytes() if self.corrections else b"")


def dequantize(codes: Integers, counts: Integers, codebooks: Codebooks) -> Floats:
    """Return latents [F, D] of codes [F, N]: for each frame, the sum of its first `counts[f]`
    vectors."""
    latents = np.zeros((len(codes), codebooks.dim), dtype=np.float32)
    for stage in range(int(counts.max(initial=0))):
        used = np.flatnonzero(counts > stage)
        latents[used] += codebooks.vectors_of(stage, codes[used, stage])
    return latents
