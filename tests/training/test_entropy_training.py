"""Training the entropy model: what it learns in float is what the integers do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attach_entropy import attach
from fake_model import CONFIG, make_model
from nacli.checkpoint import LEARNED
from nacli.entropy import LearnedModel
from train_entropy import Trainer, stage_bits
from training.codes import CHUNK, Segment, analyze, cached_codes
from training.entropy import DESIGNS

MODEL = make_model()
SMALL = {name: replace(design, hidden=32, width=12) for name, design in DESIGNS.items()}
OPTIONS: dict[str, Any] = {"seed": 1, "steps": 120, "batch": 64, "rate": 0.05}


def make_segments(count: int = 3) -> list[Segment]:
    """Codes that a good model can guess: those of a stage say the next, and change slowly."""
    random = np.random.default_rng(0)
    segments = []
    for _ in range(count):
        frames, stages = 300, CONFIG.stages
        first = random.integers(0, CONFIG.codebook_size, frames // 4).repeat(4)
        codes = np.stack([(first + 3 * stage) % CONFIG.codebook_size for stage in range(stages)], 1)
        gains = (50 + random.integers(-3, 4, frames)).astype(np.int32)
        segments.append(
            Segment(gains.astype(np.uint8), np.stack([codes] * stages).astype(np.int16))
        )
    return segments


@pytest.mark.parametrize("design", DESIGNS)
def test_the_integers_do_what_was_trained(design: str) -> None:
    trainer = Trainer(MODEL, make_segments(), SMALL[design], OPTIONS)
    trainer.net.last.data.normal_(std=0.2)
    trainer.pool()
    trainer.net.exact = True
    bits = float(trainer.net(trainer.batch.examples(trainer.batch.frames)).detach())
    model = exported(trainer)
    packets = trainer.packets
    taken = sum(model.code_bits(packet).sum() for packet in packets)
    assert taken / sum(packet.counts.sum() for packet in packets) == pytest.approx(bits, abs=0.01)


def exported(trainer: Trainer) -> LearnedModel:
    tensors = trainer.net.export(MODEL.codebooks, MODEL.tables)
    tensors["mean_bits"] = np.full(CONFIG.stages, 1024, dtype=np.uint16)
    return LearnedModel(tensors, MODEL.codebooks.entries)


def test_it_learns_and_goes_on_after_an_interruption() -> None:
    trainer = Trainer(MODEL, make_segments(), SMALL["chains"], OPTIONS)
    for _ in range(30):
        trainer.train_step()
    again = Trainer(MODEL, make_segments(), SMALL["chains"], OPTIONS)
    again.restore(trainer.state())
    while again.step < 120:
        again.train_step()
    assert again.net.exact
    bits, count = stage_bits(exported(again), make_segments(1), seed=3)
    assert bits.sum() / count.sum() < 2  # of nearly 4 by the tables


def test_codes_are_made_once(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pcm = (random.normal(size=40 * 24_000) * 3000).astype(np.int16)
    np.save(tmp_path / "noise.npy", pcm)
    row = {"name": "noise", "kind": "speech", "file": "noise.npy"}
    (tmp_path / "index.json").write_text(json.dumps([row]))
    first = cached_codes(Segment, MODEL, tmp_path, tmp_path / "codes", 100)
    assert len(first) == CHUNK
    (tmp_path / "index.json").write_text("[]")
    again = cached_codes(Segment, MODEL, tmp_path, tmp_path / "codes", 100)
    np.testing.assert_array_equal(again[0].paths, first[0].paths)
    packets = list(first[0].packets(random))
    assert [len(packet.gains) for packet in packets] == [75] * 8
    assert all((packet.codes[packet.counts == 0] == 0).all() for packet in packets)


def test_a_model_for_other_codebooks_is_not_attached() -> None:
    trainer = Trainer(MODEL, make_segments(1), SMALL["chains"], OPTIONS)
    tensors = trainer.net.export(MODEL.codebooks, MODEL.tables)
    tensors["mean_bits"] = np.zeros(CONFIG.stages, dtype=np.uint16)
    model: Any = make_model()
    model.tensors = {"encoder.x": np.zeros(1)}
    found = attach(model, tensors)
    assert {"encoder.x", LEARNED + "outputs"} <= found.keys() and LEARNED + "gains" not in found
    model.tensors = found
    assert list(attach(model, {})) == ["encoder.x"]
    with pytest.raises(ValueError, match="another checkpoint"):
        attach(model, tensors | {"gains": tensors["gains"][:, ::-1]})


def test_a_segment_is_what_the_quantiser_finds() -> None:
    pcm = np.random.default_rng(1).normal(size=9700).astype(np.float32)
    segment = analyze(MODEL, pcm)
    assert segment.paths.shape == (CONFIG.stages, 30, CONFIG.stages)
    assert segment.gains.shape == (30,)
