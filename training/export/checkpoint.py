"""From training states to a checkpoint: float16 weights, int8 codebooks, static tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch

from nacli.checkpoint import Model, load_checkpoint, save_checkpoint
from nacli.config import ModelConfig
from nacli.envelope.predictor import CorrectionPredictor
from nacli.networks.torch_engine import Networks, to_checkpoint
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.corpus.sampler import Sampler, read_corpus
from training.entropy.static_tables import fit_tables
from training.export.loudness import amplified, missing_level
from training.export.tensors import (
    clip_outliers,
    latent_codebooks,
    static_tables,
    with_decoder,
)
from training.loop.states import load_state, state_config

MAX_BYTES = 36 << 20
"""Largest checkpoint that may ship."""


def read_states(
    paths: Sequence[Path], last: bool = False
) -> tuple[ModelConfig, Tensors, Codebooks, dict[str, Any]]:
    """Return configuration, weights as a checkpoint has them, rounded codebooks and training notes
    of states.

    Weights are the mean over all states, of their moving averages where they have any, unless
    `last` asks for the weights of the last step. All else comes from the last state. The
    configuration has no corrections, which `scripts/train_corrections.py` adds.
    """
    states = [load_state(path, "cpu") for path in paths]
    state = states[-1]
    config = replace(state_config(state), correction_stages=0)
    codecs = [s["codec"] | ({} if last else s.get("average", {})) for s in states]
    weights = {
        name: torch.stack([codec[name].float() for codec in codecs]).mean(0)
        for name in codecs[-1]
        if name.startswith(("encoder.", "decoder."))
    }
    codebooks = Codebooks.from_vectors(clip_outliers(state["codec"]["quantizer.codebooks"].numpy()))
    past = state.get("past", {"steps": 0, "seconds": 0.0})
    steps = past["steps"] + state.get("step", 0)
    hours = round((past["seconds"] + state.get("seconds", 0.0)) / 3600, 2)
    return config, to_checkpoint(weights), codebooks, {"steps": steps, "hours": hours}


def export_checkpoint(states: Sequence[Path], out: Path, options: dict[str, Any]) -> None:
    """Write a checkpoint, and print its size and how long it was trained.

    `options` has corpus, packets, decoder_for, levels and last. Raises `click.ClickException` when
    the checkpoint is larger than MAX_BYTES.
    """
    config, weights, codebooks, training = read_states(states, options["last"])
    sources = read_corpus(options["corpus"])
    sampler = Sampler(sources, 150 * config.hop, seed=5)
    predictor = CorrectionPredictor.none()
    networks = Networks(config, weights)
    tables = fit_tables(config, networks, codebooks, predictor, sampler, options["packets"])
    if options["decoder_for"] is not None:
        shipped = load_checkpoint(options["decoder_for"]).tensors
        tensors = with_decoder(shipped, weights, codebooks)
    else:
        tensors = weights | latent_codebooks(codebooks) | static_tables(tables)
    if options["levels"]:
        sampler = Sampler(sources, 3 * config.sample_rate, seed=6)
        decibels = missing_level(Model(config, tensors), sampler, options["levels"])
        tensors = amplified(tensors, decibels)
    save_checkpoint(out, config, tensors, {"training": training})
    size = out.stat().st_size
    if size > MAX_BYTES:
        raise click.ClickException(f"{out} has {size} bytes, more than {MAX_BYTES}")
    print(f"{out}: {size} bytes, {training['steps']} steps, {training['hours']} h of training")
