"""Training of the envelope corrections of a checkpoint: predictor, codebooks and tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nacli.checkpoint import PREDICTOR, Model, load_checkpoint
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.envelope.predictor import LearnedPredictor
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.corpus.decoded_segments import FRAMES, decode_segments
from training.corpus.sampler import Sampler, read_corpus
from training.entropy.static_tables import fit_tables
from training.envelope.correction_data import CorrectionClips, clips_by_span
from training.envelope.correction_trainer import BATCH, CorrectionTrainer, PredictorNet
from training.export.tensors import correction_codebooks, correction_tables, without_corrections
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

    `options` has corpus, clips, steps, rate, hidden, packets and stages.
    """
    torch.manual_seed(1)
    model = _without_corrections(load_checkpoint(path))
    codec = frozen_codec(model)
    segments = decode_segments(codec, options["corpus"], 11, options["clips"])
    groups = clips_by_span(segments, model.config)
    sizes = [len(group.inputs) // HELD_OUT for group in groups]
    learned = [group.take(slice(n, None)) for group, n in zip(groups, sizes, strict=True)]
    config = replace(model.config, correction_stages=options["stages"])
    net = PredictorNet(options["hidden"], config.correction_memory)
    quantizer = _started_quantizer(config, learned)
    trainer = CorrectionTrainer(net, quantizer, options["steps"], options["rate"])
    trainer.train(learned)
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


def _started_quantizer(config: ModelConfig, clips: list[CorrectionClips]) -> CorrectionQuantizer:
    """Return a quantiser whose codebooks are fitted to audible corrections, of which a part of
    the one before is predicted."""
    quantizer = CorrectionQuantizer(
        config.correction_stages, config.codebook_size, BANDS, config.correction_memory
    )
    residuals = [quantizer.prediction_residuals(group.targets)[group.audible] for group in clips]
    spans = torch.cat(residuals)
    chosen = torch.randperm(len(spans))[:FIT_SPANS]
    quantizer.fit(spans[chosen], BATCH * FRAMES // config.correction_frames)
    return quantizer


def _print_results(trainer: CorrectionTrainer, clips: CorrectionClips) -> None:
    error, codes, bits = trainer.evaluate(clips)
    span = -(-FRAMES // clips.inputs.shape[1])
    print(f"spans of {span}: predicted with a squared error of {error:.2f}; {codes:.2f} codes;")
    print(f"  {bits:.1f} bits, with the remaining error over lambda")


def _tensors(
    model: Model, config: ModelConfig, trainer: CorrectionTrainer, options: dict[str, Any]
) -> Tensors:
    """Return the tensors of the corrections: network, codebooks, and tables counted with these."""
    vectors = Codebooks.from_vectors(trainer.quantizer.codebooks.numpy())
    codebooks = Codebooks(model.codebooks.entries, model.codebooks.scales, vectors)
    network = trainer.net.export()
    sampler = Sampler(read_corpus(options["corpus"]), 150 * model.config.hop, 5)
    predictor = LearnedPredictor(network)
    tables = fit_tables(config, model.networks, codebooks, predictor, sampler, options["packets"])
    tensors = {PREDICTOR + name: tensor for name, tensor in network.items()}
    return tensors | correction_codebooks(codebooks) | correction_tables(tables.corrections)
