"""The trainer: schedules by steps and by time, shares, rates, and going on after a stop."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import ablate
import refit
from nacli.config import ModelConfig
from train import main
from training.codec import Codec
from training.corpus import Sampler, Source
from training.losses import CompressedLoss
from training.schedule import CAREFUL, learning_rate, parameter_groups
from training_run import TINY, make_run, run_command


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    make_run(tmp_path)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def train(folder: Path, *options: str) -> dict[str, Any]:
    """Run the command; the state that it leaves."""
    paths = {"corpus": "corpus", "run": "run", "config": "config.json"}
    return run_command(main, folder, paths, options)


def test_training_stops_after_the_hours_and_goes_on_with_more(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=count(step=0.25).__next__)  # so long does a step take
    monkeypatch.setattr("training.loop.time", clock)
    state = train(run, "--hours", str(0.9 / 3600), "--steps", "1")  # hours count, not steps
    assert (state["step"], state["seconds"]) == (4, 1.0)
    assert state["codec"]["decoder.layers.1.out.weight"].any()  # recurrent layers learn
    again = train(run, "--hours", str(0.9 / 3600))
    assert again["step"] == 4
    longer = train(run, "--hours", str(1.4 / 3600))
    assert (longer["step"], longer["seconds"]) == (6, 1.5)


def test_weights_of_losses_come_from_the_options(run: Path) -> None:
    names = ("mel", "compressed", "waveform", "commitment", "corrections")
    weights = dict(zip(names, (0.5, 2.0, 0.25, 0.0, 0.5), strict=True))
    options = [text for name, weight in weights.items() for text in (f"--{name}", str(weight))]
    assert train(run, *options, "--steps", "2", "--complex-share", "1")["step"] == 2
    for line in (run / "run" / "log.jsonl").read_text().splitlines():
        row = json.loads(line)
        total = sum(weight * row[name] for name, weight in weights.items())
        assert row["total"] == pytest.approx(total, rel=1e-3)


def test_the_rate_warms_up_and_falls_with_the_course() -> None:
    assert learning_rate(0, 0.0, 1.0) == 1 / 200
    assert learning_rate(199, 0.0, 1.0) == 1.0
    rates = [learning_rate(500, course, 1.0) for course in (0.0, 0.25, 0.5, 1.0)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.02)


def test_every_arm_can_be_built_and_trained() -> None:
    names = {option for parameter in main.params for option in parameter.opts}
    for config, options in ablate.ARMS.values():
        ModelConfig(**config)
        assert {f"--{name}" for name in {**ablate.TRAINING, **options}} <= names


def test_an_arm_is_trained_measured_and_listed(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ablate.ARMS, "groups2", (TINY, {"segment": 0.1}))
    (run / "run").rename(run / "groups2")  # has a state, so that no codebooks are fitted
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


@pytest.mark.parametrize(
    ("options", "part", "scale"),
    [
        ({"recurrent_layers": 1}, ".gru.", 1.0),
        ({"upsampling": "transposed"}, "up_samples.overlap", CAREFUL["up_"]),
        ({"upsampling": "interpolation"}, "up_samples.steps", 1.0),
        ({"pair_blocks": 1}, "decoder.pair.", CAREFUL["subframe."]),
        ({}, "up_samples", CAREFUL["up_"]),
    ],
)
def test_parts_that_start_exact_learn_carefully(
    options: dict[str, Any], part: str, scale: float
) -> None:
    codec = Codec(ModelConfig(**TINY | options))
    groups = parameter_groups(codec, encoder_rate=1.0)
    names = [name for name, _ in codec.named_parameters()]
    found = {g["scale"] for name, g in zip(names, groups, strict=True) if part in name}
    assert found == {scale}


def test_the_share_of_music_is_drawn() -> None:
    sources = [
        Source(kind, kind, np.full(50_000, level, dtype=np.int16))
        for kind, level in (("speech", 8000), ("music", -8000), ("ambience", 8000))
    ]
    for music in (0.0, 0.33, 0.95):
        batch = Sampler(sources, segment=100, seed=0, music=music).batch(400)
        assert float((batch < 0).float().mean()) == pytest.approx(music, abs=0.06)
    default = Sampler(sources, segment=100, seed=0).weights
    np.testing.assert_array_equal(default, [0.62, 0.33, 0.05])


def test_the_complex_share_weighs_phase() -> None:
    torch.manual_seed(0)
    sound = 0.1 * torch.randn(1, 12_000)
    shares = [
        float(CompressedLoss(24_000, complex_share=share)(sound, -sound)) for share in (0.0, 0.5, 1)
    ]
    assert shares[0] < 1e-9 < shares[1] < shares[2]


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    code = f"""
import os, sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(ablate.__file__).parent)!r})
from training.parallel import launch

def work(rank):
    (Path({str(tmp_path)!r}) / str(rank)).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    launch(work, 2)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, script])
    names = [tmp_path / "0", tmp_path / "1"]
    _wait(lambda: all(name.exists() and name.read_text() for name in names))
    workers = [int(name.read_text()) for name in names]
    parent.kill()
    parent.wait()
    _wait(lambda: not any(_runs(worker) for worker in workers))


def _runs(process: int) -> bool:
    """Whether it is there and no zombie that nobody has buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait(done: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "took too long"
        time.sleep(0.05)


def test_a_mean_of_states_gets_codebooks_that_fit_it(run: Path) -> None:
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
