"""Tensors of checkpoints, by their stored names."""

from __future__ import annotations

import click
import numpy as np

from nacli.checkpoint import PREDICTOR
from nacli.entropy import CorrectionTables, StaticTables
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors


def latent_codebooks(codebooks: Codebooks) -> Tensors:
    """Return the tensors of the codebooks of latents."""
    return {"codebooks.entries": codebooks.entries, "codebooks.scales": codebooks.scales}


def correction_codebooks(codebooks: Codebooks) -> Tensors:
    """Return the tensors of the codebooks of corrections, none if the model has no corrections."""
    if codebooks.corrections is None:
        return {}
    return {
        "corrections.entries": codebooks.corrections.entries,
        "corrections.scales": codebooks.corrections.scales,
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


def with_decoder(tensors: Tensors, weights: Tensors, codebooks: Codebooks) -> Tensors:
    """Return the tensors of a checkpoint with the Decoder of `weights` and the corrections of
    `codebooks`.

    Raises `click.ClickException` where Encoder or codebooks of latents differ: codes would decode
    to other sound, and the entropy model would no longer fit.
    """
    kept = {name: weight for name, weight in weights.items() if name.startswith("encoder.")}
    kept |= latent_codebooks(codebooks)
    for name, tensor in kept.items():
        if not np.array_equal(tensors[name], tensor):
            raise click.ClickException(f"the checkpoint has another {name}")
    replaced = ("decoder.", PREDICTOR)
    others = {name: t for name, t in tensors.items() if not name.startswith(replaced)}
    decoder = {name: weight for name, weight in weights.items() if name not in kept}
    return others | decoder | correction_codebooks(codebooks)
