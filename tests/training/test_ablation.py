"""Ablation: every arm can be built and trained, is measured and listed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import ablate
from nacli.config import ModelConfig
from train import main
from training.ablation.arms import ARMS
from training.codec import Codec
from training.stage_allocation import uniform_allocation
from training_run import TINY, prepared_run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    yield from prepared_run(tmp_path)


SMALL = {**TINY, "quantizer_groups": 1, "recurrent_layers": 0, "latent_dim": 4}
"""A small model without experimental parts."""


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_can_be_built_and_trained(arm: str) -> None:
    config, options = ARMS[arm]
    names = {option for parameter in main.params for option in parameter.opts}
    assert {f"--{name}" for name in options} <= names
    ModelConfig(**config)
    sizes = ("width", "hidden", "latent_dim", "encoder_blocks", "decoder_blocks")
    parts = {name: value for name, value in config.items() if name not in sizes}
    codec = Codec(ModelConfig(**{**SMALL, "decoder_blocks": 2, **parts}))
    codec.quantizer.fit(torch.randn(64, 4), batch_frames=20)
    pcm = 0.1 * torch.randn(1, 12 * codec.config.hop, generator=torch.manual_seed(0))
    codec(pcm, uniform_allocation(2)).output.square().sum().backward()
    gradients = [(n, p.grad) for n, p in codec.named_parameters()]
    assert all(g is None or g.isfinite().all() for _, g in gradients)
    for part in ("encoder.", "decoder."):
        assert any(g is not None and g.any() for n, g in gradients if n.startswith(part)), part


def test_an_arm_is_trained_measured_and_listed(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ARMS, "groups2", (TINY, {"segment": 0.1}))
    (run / "run").rename(run / "groups2")  # it has a state, so that no codebooks are fitted
    (run / "speech").mkdir()
    shutil.copy(Path(__file__).parents[1] / "data" / "talk.flac", run / "speech")
    given = {"corpus": run / "corpus", "out": run, "clips": run / "speech"}
    paths = [text for name, path in given.items() for text in (f"--{name}", str(path))]
    ablate.main.main(
        ["groups2", *paths, "--hours", "0.0001", "--seconds", "2"], standalone_mode=False
    )
    row = json.loads((run / "groups2.json").read_text())
    figures = row["figures"]
    assert row["config"] == TINY and row["hours"] >= 0.0001
    assert figures["steps"] >= 1 and 1 <= figures["speech pesq 4"] <= 4.7
    assert 0 < figures["bits"] <= 2  # of codebooks of four
    heading, _, line = capsys.readouterr().out.strip().splitlines()[-3:]
    ablate.main.main(["--table", str(run)], standalone_mode=False)
    table = capsys.readouterr().out.splitlines()
    assert table[0] == heading and table[2:] == [line]
    assert heading.count("|") == line.count("|") and " - |" in line  # no music
