"""Joint training: duration by time, loss weights, and the mean of states."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import refit
from train import main
from training_run import prepared_run, run_command


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    yield from prepared_run(tmp_path)


def train(folder: Path, *options: str) -> dict[str, Any]:
    """Run the command, and return the state that it saves."""
    paths = {"corpus": "corpus", "run": "run", "config": "config.json"}
    return run_command(main, folder, paths, options)


def test_training_stops_after_its_hours_and_resumes_with_more(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=count(step=0.25).__next__)  # a step takes 0.25 s
    monkeypatch.setattr("training.loop.training.time", clock)
    state = train(run, "--hours", str(0.9 / 3600), "--steps", "1")  # hours override steps
    assert (state["step"], state["seconds"]) == (4, 1.0)
    assert state["codec"]["decoder.layers.1.out.weight"].any()  # recurrent layers learn
    again = train(run, "--hours", str(0.9 / 3600))
    assert again["step"] == 4
    longer = train(run, "--hours", str(1.4 / 3600))
    assert (longer["step"], longer["seconds"]) == (6, 1.5)


def test_loss_weights_come_from_the_options(run: Path) -> None:
    names = ("mel", "compressed", "waveform", "commitment", "corrections")
    weights = dict(zip(names, (0.5, 2.0, 0.25, 0.0, 0.5), strict=True))
    options = [text for name, weight in weights.items() for text in (f"--{name}", str(weight))]
    assert train(run, *options, "--steps", "2", "--complex-share", "1")["step"] == 2
    for line in (run / "run" / "log.jsonl").read_text().splitlines():
        row = json.loads(line)
        total = sum(weight * row[name] for name, weight in weights.items())
        assert row["total"] == pytest.approx(total, rel=1e-3)


def test_codebooks_are_refitted_to_the_mean_of_states(run: Path) -> None:
    first = run / "run" / "state.pt"
    shutil.copytree(run / "run", run / "next")
    second = train(run, "--steps", "2", "--rate", "0.05")
    shutil.move(first, run / "second.pt")
    paths = {"state": run / "next" / "state.pt", "corpus": run / "corpus", "out": run / "mean.pt"}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    options += ["--state", str(run / "second.pt"), "--frames", "500"]
    refit.main(options, standalone_mode=False)
    mean = torch.load(run / "mean.pt", weights_only=True)["codec"]
    started = torch.load(run / "next" / "state.pt", weights_only=True)
    name = "decoder.project_out.weight"
    averages = started["average"][name] + second["average"][name]
    torch.testing.assert_close(mean[name], averages / 2)
    assert not torch.equal(second["average"][name], second["codec"][name])
    name = "quantizer.codebooks"
    assert not torch.equal(mean[name], second["codec"][name])
    name = "corrections.codebooks"
    assert torch.equal(mean[name], second["codec"][name])
