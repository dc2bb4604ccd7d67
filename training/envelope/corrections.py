"""Training of the envelope corrections of a checkpoint: prediction, codebooks and tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nacli.checkpoint import Model, load_checkpoint
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.envelope.predictor import CorrectionPredictor
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.corpus.decoded_segments import FRAMES, decode_segments
from training.corpus.sampler import Sampler, read_corpus
from training.entropy.static_tables import fit_tables
from training.envelope.correction_data import CorrectionClips, clips_by_span
from training.envelope.correction_trainer import BATCH, CorrectionTrainer
from training.export.tensors import correction_tables, correction_tensors, without_corrections
from training.frozen_codec import frozen_codec
from training.loop.states import rewrite_checkpoint
from training.quantizer.corrections import CorrectionQuantizer

FIT_SPANS = 30_000
"""Spans to which codebooks are fitted at the start."""
HELD_OUT = 20
"""One in this number of clips is not learned from."""


def train_corrections(path: Path, out: Path, options: dict[str, Any]) -> None:
    """Write the checkpoint at `path` to `out` with new corrections, and print the results on clips
    that were not learned from.

    `options` has corpus, clips, rounds, packets and stages.
    """
    torch.manual_seed(1)
    model = _without_corrections(load_checkpoint(path))
    codec = frozen_codec(model)
    segments = decode_segments(codec, options["corpus"], 11, options["clips"])
    groups = clips_by_span(segments, model.config)
    sizes = [len(group.targets) // HELD_OUT for group in groups]
    learned = [group.take(slice(n, None)) for group, n in zip(groups, sizes, strict=True)]
    config = replace(model.config, correction_stages=options["stages"])
    trainer = _started_trainer(config, learned)
    trainer.train(options["rounds"])
    trainer.quantizer.eval()
    for group, size in zip(groups, sizes, strict=True):
        _print_results(trainer, group.take(slice(size)))
    tensors = model.tensors | _tensors(model, config, trainer, options)
    rewrite_checkpoint(path, out, tensors, config)
    print(f"{out}: {out.stat().st_size} bytes")


def _without_corrections(model: Model) -> Model:
    """Return a model that decodes as `model` does before its corrections, if it has any."""
    config = replace(model.config, correction_stages=0)
    return Model(config, without_corrections(model.tensors))


def _started_trainer(config: ModelConfig, clips: list[CorrectionClips]) -> CorrectionTrainer:
    """Return a trainer whose codebooks are fitted to what the first prediction leaves."""
    quantizer = CorrectionQuantizer(config.correction_stages, config.codebook_size, BANDS)
    trainer = CorrectionTrainer(quantizer, clips)
    spans = trainer.residuals()
    chosen = torch.randperm(len(spans))[:FIT_SPANS]
    quantizer.fit(spans[chosen], BATCH * FRAMES // config.correction_frames)
    return trainer


def _print_results(trainer: CorrectionTrainer, clips: CorrectionClips) -> None:
    error, codes, cost = trainer.evaluate(clips)
    print(f"spans of {clips.span}: predicted with a squared error of {error:.2f}; ", end="")
    print(f"{codes:.2f} codes; remaining error and lambda times bits {cost:.3f}")


def _tensors(
    model: Model, config: ModelConfig, trainer: CorrectionTrainer, options: dict[str, Any]
) -> Tensors:
    """Return the tensors of the corrections: prediction, codebooks, and tables counted with
    these."""
    vectors = Codebooks.from_vectors(trainer.quantizer.codebooks.numpy())
    codebooks = Codebooks(model.codebooks.entries, model.codebooks.scales, vectors)
    prediction = trainer.tensors()
    predictor = CorrectionPredictor(*prediction)
    sampler = Sampler(read_corpus(options["corpus"]), 150 * model.config.hop, 5)
    tables = fit_tables(config, model.networks, codebooks, predictor, sampler, options["packets"])
    return correction_tensors(vectors, *prediction) | correction_tables(tables.corrections)
