"""Retraining of the envelope corrections of a checkpoint: predictor, codebooks and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from nacli.checkpoint import PREDICTOR, Model, load_checkpoint
from nacli.envelope.predictor import LearnedPredictor
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.corpus.decoded_segments import FRAMES, decode_segments
from training.corpus.sampler import Sampler, read_corpus
from training.entropy.static_tables import fit_tables
from training.envelope.correction_data import CorrectionClips, clips_by_span
from training.envelope.correction_trainer import BATCH, CorrectionTrainer, PredictorNet
from training.export.tensors import correction_codebooks, correction_tables
from training.frozen_codec import frozen_codec
from training.loop.states import rewrite_checkpoint

HELD_OUT = 20
"""One in this number of clips is not learned from."""


def train_corrections(path: Path, out: Path, options: dict[str, Any]) -> None:
    """Write the checkpoint at `path` to `out` with retrained corrections, and print the results on
    clips that were not learned from.

    `options` has corpus, clips, steps, rate, hidden and packets.
    """
    torch.manual_seed(1)
    model = load_checkpoint(path)
    codec = frozen_codec(model, BATCH * FRAMES)
    segments = decode_segments(codec, options["corpus"], 11, options["clips"])
    groups = clips_by_span(segments, model.config)
    net = PredictorNet(options["hidden"], model.config.correction_memory)
    trainer = CorrectionTrainer(net, codec.corrections, options["steps"], options["rate"])
    sizes = [len(group.inputs) // HELD_OUT for group in groups]
    trainer.quantizer.train()
    trainer.train([group.take(slice(n, None)) for group, n in zip(groups, sizes, strict=True)])
    trainer.quantizer.eval()
    for group, size in zip(groups, sizes, strict=True):
        _print_results(trainer, group.take(slice(size)))
    rewrite_checkpoint(path, out, model.tensors | _tensors(model, trainer, options))
    print(f"{out}: {out.stat().st_size} bytes")


def _print_results(trainer: CorrectionTrainer, clips: CorrectionClips) -> None:
    error, codes, bits = trainer.evaluate(clips)
    span = -(-FRAMES // clips.inputs.shape[1])
    print(f"spans of {span}: predicted with a squared error of {error:.2f}; {codes:.2f} codes;")
    print(f"  {bits:.1f} bits, with the remaining error over lambda")


def _tensors(model: Model, trainer: CorrectionTrainer, options: dict[str, Any]) -> Tensors:
    """Return the tensors of the corrections: network, codebooks, and tables counted with these."""
    vectors = Codebooks.from_vectors(trainer.quantizer.codebooks.numpy())
    codebooks = Codebooks(model.codebooks.entries, model.codebooks.scales, vectors)
    network = trainer.net.export()
    sampler = Sampler(read_corpus(options["corpus"]), 150 * model.config.hop, 5)
    predictor = LearnedPredictor(network)
    tables = fit_tables(
        model.config, model.networks, codebooks, predictor, sampler, options["packets"]
    )
    tensors = {PREDICTOR + name: tensor for name, tensor in network.items()}
    return tensors | correction_codebooks(codebooks) | correction_tables(tables.corrections)
