"""Training of the entropy model: the integer network does what was trained in floating point."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fake_model import CONFIG, make_model
from nacli.checkpoint import LEARNED
from nacli.entropy import LearnedModel
from training.corpus.code_cache import CodedSegment
from training.entropy.attach import with_entropy_model
from training.entropy.design import DESIGNS
from training.entropy.trainer import EntropyTrainer, stage_bits

MODEL = make_model()


SMALL = {name: replace(design, hidden=32, width=12) for name, design in DESIGNS.items()}


OPTIONS: dict[str, Any] = {"seed": 1, "steps": 120, "batch": 64, "rate": 0.05}


def make_segments(count: int = 3) -> list[CodedSegment]:
    """Make codes that a good model can predict: each stage follows from the one before, and codes
    change slowly."""
    random = np.random.default_rng(0)
    segments = []
    for _ in range(count):
        frames, stages = 300, CONFIG.stages
        first = random.integers(0, CONFIG.codebook_size, frames // 4).repeat(4)
        codes = np.stack([(first + 3 * stage) % CONFIG.codebook_size for stage in range(stages)], 1)
        gains = (50 + random.integers(-3, 4, frames)).astype(np.int32)
        segments.append(
            CodedSegment(gains.astype(np.uint8), np.stack([codes] * stages).astype(np.int16))
        )
    return segments


@pytest.mark.parametrize("design", DESIGNS)
def test_the_integer_network_has_the_cost_of_the_trained_one(design: str) -> None:
    trainer = EntropyTrainer(MODEL, make_segments(), SMALL[design], OPTIONS)
    trainer.net.last.data.normal_(std=0.2)
    trainer.draw_pool()
    trainer.net.exact = True
    bits = float(trainer.net(trainer.batch.examples(trainer.batch.frames)).detach())
    model = exported(trainer)
    packets = trainer.packets
    taken = sum(model.code_bits(packet).sum() for packet in packets)
    assert taken / sum(packet.counts.sum() for packet in packets) == pytest.approx(bits, abs=0.01)


def exported(trainer: EntropyTrainer) -> LearnedModel:
    tensors = trainer.net.export(MODEL.codebooks, MODEL.tables)
    tensors["mean_bits"] = np.full(CONFIG.stages, 1024, dtype=np.uint16)
    return LearnedModel(tensors, MODEL.codebooks.entries)


def test_a_resumed_training_learns_to_predict_codes() -> None:
    trainer = EntropyTrainer(MODEL, make_segments(), SMALL["chains"], OPTIONS)
    for _ in range(30):
        trainer.train_step()
    again = EntropyTrainer(MODEL, make_segments(), SMALL["chains"], OPTIONS)
    again.restore(trainer.state())
    while again.step < 120:
        again.train_step()
    assert again.net.exact
    bits, count = stage_bits(exported(again), make_segments(1), seed=3)
    assert bits.sum() / count.sum() < 2  # the tables need nearly 4


def test_an_entropy_model_for_other_tables_is_refused() -> None:
    trainer = EntropyTrainer(MODEL, make_segments(1), SMALL["chains"], OPTIONS)
    tensors = trainer.net.export(MODEL.codebooks, MODEL.tables)
    tensors["mean_bits"] = np.zeros(CONFIG.stages, dtype=np.uint16)
    model: Any = make_model()
    model.tensors = {"encoder.x": np.zeros(1)}
    found = with_entropy_model(model, tensors)
    assert {"encoder.x", LEARNED + "outputs"} <= found.keys() and LEARNED + "gains" not in found
    model.tensors = found
    assert list(with_entropy_model(model, {})) == ["encoder.x"]
    with pytest.raises(ValueError, match="another checkpoint"):
        with_entropy_model(model, tensors | {"gains": tensors["gains"][:, ::-1]})
