"""Training of the Decoder alone: what a step moves, interruptions, export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch

import export
from finish import main
from nacli.bench.metrics import brightness
from nacli.checkpoint import load_checkpoint
from training.loop.states import load_codec, load_state
from training.stage_allocation import uniform_allocation
from training_run import prepared_run, run_command, ship

SHIPPED = "shipped.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a corpus, a state of a joint training, and a checkpoint of it."""
    for folder in prepared_run(tmp_path):
        ship(folder / "run" / "state.pt", folder / SHIPPED)
        yield folder


def finish(folder: Path, run: str, *options: str) -> dict[str, Any]:
    """Run the command from a checkpoint, and return the state that it saves."""
    paths = {"corpus": "corpus", "run": run, "init": SHIPPED, "codes": "codes"}
    return run_command(main, folder, paths, ["--code-hours", "0.01", *options])


def assert_same(first: Any, second: Any) -> None:
    """Assert that nested states are equal to the last bit."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_same(first[name], second[name])
    elif isinstance(first, list):
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert first == second


def test_only_the_decoder_moves_and_only_after_the_warmup(folder: Path) -> None:
    before = load_state(folder / SHIPPED, "cpu")["codec"]
    alone = finish(folder, "alone", "--steps", "2", "--warmup", "2")
    assert_same(alone["codec"], before)
    after = finish(folder, "both", "--steps", "4", "--warmup", "2", "--listen-steps", "4")
    moved = {
        name for name, tensor in after["codec"].items() if not torch.equal(tensor, before[name])
    }
    assert moved and all(name.startswith(("decoder.", "corrections.")) for name in moved)
    assert "decoder.layers.0.reduce.weight" in moved
    for name, tensor in after["discriminator"].items():
        assert not torch.equal(tensor, alone["discriminator"][name]), name
    for name, tensor in after["average"].items():  # between the start and the end
        if name in moved:
            ends = before[name], after["codec"][name]
            assert (tensor - ends[1]).abs().sum() < (ends[0] - ends[1]).abs().sum()
    rows = [json.loads(line) for line in (folder / "both" / "log.jsonl").read_text().splitlines()]
    assert [row["length_adversarial"] > 0 for row in rows] == [False, False, True, True]
    named = {"reconstruction", "mel", "adversarial", "features", "discriminator", "audio_per_s"}
    assert named | {"score_original", "score_decoded"} <= rows[0].keys()
    brightness = json.loads((folder / "both" / "listen" / "brightness.jsonl").read_text())
    assert brightness["step"] == 4 and -100 < brightness["2 stages"] < 0
    assert len(list((folder / "both" / "listen").glob("*.wav"))) == 16


@pytest.mark.parametrize("options", [["--warmup", "1"], ["--warmup", "3", "--no-balance"]])
def test_a_resumed_run_ends_like_one_without_interruption(folder: Path, options: list[str]) -> None:
    # during the warm-up, the number of steps in all changes no learning rate
    whole = finish(folder, "whole", *options, "--steps", "5")
    finish(folder, "parts", *options, "--steps", "2")
    parts = finish(folder, "parts", *options, "--steps", "5")
    for state in (whole, parts):
        del state["seconds"]
    assert_same(parts, whole)
    assert whole["step"] == 5 and whole["past"]["steps"] == 0


def test_a_state_of_another_kind_of_training_is_refused(folder: Path) -> None:
    (folder / "other").mkdir()
    shutil.copy(folder / "run" / "state.pt", folder / "other")
    with pytest.raises(click.ClickException, match="start from it with --weights"):
        finish(folder, "other", "--steps", "1")


def test_the_decoder_learns_without_discriminators(folder: Path) -> None:
    state = finish(folder, "alone", "--steps", "2", "--adversarial", "0", "--features", "0")
    assert "discriminator" not in state
    moved = finish(folder, "alone", "--steps", "3", "--adversarial", "0", "--features", "0")
    name = "decoder.layers.0.reduce.weight"
    assert not torch.equal(state["codec"][name], moved["codec"][name])
    rows = [json.loads(line) for line in (folder / "alone" / "log.jsonl").read_text().splitlines()]
    assert all("discriminator" not in row and row["reconstruction"] > 0 for row in rows)


def test_more_lookahead_changes_nothing_before_it_has_learned(folder: Path) -> None:
    (folder / "more.json").write_text('{"lookahead": 2}')
    (folder / "other.json").write_text('{"latent_dim": 12}')
    more = ["--config", str(folder / "more.json"), "--adversarial", "0", "--features", "0"]
    state = finish(folder, "grown", *more, "--steps", "1", "--rate", "1e-9")
    assert state["config"]["lookahead"] == 2
    codecs = [load_codec(found) for found in (load_state(folder / SHIPPED, "cpu"), state)]
    pcm = 0.1 * torch.randn(1, 40 * 320, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain, grown = (codec.eval()(pcm, uniform_allocation(4)).output for codec in codecs)
    assert plain.shape == grown.shape
    torch.testing.assert_close(grown[:, 6400:], plain[:, 6400:], atol=0.02, rtol=0)
    with pytest.raises(click.ClickException, match="only the Decoder may differ"):
        finish(folder, "other", "--config", str(folder / "other.json"), "--steps", "1")


@pytest.mark.parametrize("last", [False, True])
def test_a_trained_decoder_goes_into_the_shipped_checkpoint(folder: Path, last: bool) -> None:
    shipped, made = folder / SHIPPED, folder / "made.safetensors"
    weights = [] if last else ["--weights", str(folder / "run" / "state.pt")]
    state = finish(folder, "done", "--steps", "3", "--warmup", "0", "--rate", "0.05", *weights)
    given = {"state": folder / "done" / "state.pt", "out": made, "decoder-for": shipped}
    given["corpus"] = folder / "corpus"
    paths = [text for name, path in given.items() for text in (f"--{name}", str(path))]
    options = ["--levels", "0", "--packets", "3", *(["--last"] if last else [])]
    export.main.main([*paths, *options], standalone_mode=False)
    before, after = load_checkpoint(shipped), load_checkpoint(made)
    for name, tensor in before.tensors.items():
        if not name.startswith(("decoder.", "corrections.", "entropy.correction")):
            np.testing.assert_array_equal(after.tensors[name], tensor)
    assert after.codebooks.corrections and before.codebooks.corrections
    assert after.codebooks.corrections.digest != before.codebooks.corrections.digest
    name = "decoder.layers.0.reduce.weight"
    expected = state["codec"][name] if last else state["average"][name]
    np.testing.assert_array_equal(after.tensors[name], expected.half().numpy())
    assert not torch.equal(state["codec"][name], state["average"][name])


def test_brightness_is_the_energy_above_4_khz() -> None:
    random = np.random.default_rng(0)
    low = np.hanning(24_000) * np.sin(np.arange(24_000) * 0.1)
    noise = 0.01 * random.normal(size=24_000)
    assert brightness(low + noise, 3 * low + noise, 24_000) == pytest.approx(0, abs=0.1)
    assert brightness(low + noise, low + 0.5 * noise, 24_000) == pytest.approx(-6.02, abs=0.1)
    assert np.isnan(brightness(np.zeros(2400), noise, 24_000))
