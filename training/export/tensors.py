"""Tensors of checkpoints, by their stored names."""

from __future__ import annotations

import click
import numpy as np

from nacli.entropy import CorrectionTables, StaticTables
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from nacli.types import Floats

OUTLIER_QUANTILE, OUTLIER_LIMIT = 0.98, 1.5
"""Codebook entries are clipped to this multiple of the quantile of a stage's largest values."""


def clip_outliers(vectors: Floats) -> Floats:
    """Return codebooks [N, size, D] without entries that would make the scale of a stage's 8-bit
    integers too coarse."""
    limits = OUTLIER_LIMIT * np.quantile(np.abs(vectors).max(2), OUTLIER_QUANTILE, axis=1)
    return vectors.clip(-limits[:, None, None], limits[:, None, None]).astype(np.float32)


def latent_codebooks(codebooks: Codebooks) -> Tensors:
    """Return the tensors of the codebooks of latents."""
    return {"codebooks.entries": codebooks.entries, "codebooks.scales": codebooks.scales}


def correction_tensors(codebooks: Codebooks, means: Floats, weights: Floats) -> Tensors:
    """Return the tensors of the codebooks of corrections, and of their prediction; see
    `nacli.envelope.predictor.CorrectionPredictor`."""
    return {
        "corrections.entries": codebooks.entries,
        "corrections.scales": codebooks.scales,
        "corrections.means": means,
        "corrections.weights": weights,
    }


def static_tables(tables: StaticTables) -> Tensors:
    """Return the tensors of the tables of gains and codes."""
    return {
        "entropy.gains": tables.gain_table.astype(np.uint32),
        "entropy.codes": tables.code_table.astype(np.uint32),
    }


def correction_tables(tables: CorrectionTables | None) -> Tensors:
    """Return the tensors of the tables of corrections."""
    if tables is None:
        return {}
    rows = {"entropy.correction_numbers": tables.counts, "entropy.corrections": tables.codes}
    return {name: table.astype(np.uint32) for name, table in rows.items()}


def without_corrections(tensors: Tensors) -> Tensors:
    """Return the tensors of a checkpoint without its envelope corrections."""
    own = ("corrections.", "entropy.correction")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(own)}


def with_decoder(tensors: Tensors, weights: Tensors, codebooks: Codebooks) -> Tensors:
    """Return the tensors of a checkpoint with the Decoder of `weights`, and without corrections,
    which belonged to another Decoder.

    Raises `click.ClickException` where Encoder or codebooks of latents differ: codes would decode
    to other sound, and the entropy model would no longer fit.
    """
    kept = {name: weight for name, weight in weights.items() if name.startswith("encoder.")}
    kept |= latent_codebooks(codebooks)
    for name, tensor in kept.items():
        if not np.array_equal(tensors[name], tensor):
            raise click.ClickException(f"the checkpoint has another {name}")
    others = {
        name: tensor
        for name, tensor in without_corrections(tensors).items()
        if not name.startswith("decoder.")
    }
    return others | {name: weight for name, weight in weights.items() if name not in kept}
