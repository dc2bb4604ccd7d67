"""The adversarial finish: what discriminators see and say, what moves and what does not."""

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
from nacli.config import ModelConfig
from training.adversarial import Balance, deceiving_loss, feature_loss, mean_scores, telling_loss
from training.codec import Codec, alike
from training.discriminators import (
    BandDiscriminator,
    FrameDiscriminator,
    SpectrumDiscriminator,
    compressed_spectrum,
)
from training.states import load_state
from training_run import make_run, run_command, ship

SHIPPED = "shipped.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    make_run(tmp_path)
    ship(tmp_path / "run" / "state.pt", tmp_path / SHIPPED)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def finish(folder: Path, run: str, *options: str) -> dict[str, Any]:
    """Run the command from a checkpoint; the state that it leaves."""
    paths = {"corpus": "corpus", "run": run, "init": SHIPPED, "codes": "codes"}
    return run_command(main, folder, paths, ["--code-hours", "0.01", *options])


def assert_same(first: Any, second: Any) -> None:
    """Nested states that are equal to the last bit."""
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


@pytest.mark.parametrize(
    ("kind", "sizes", "width"),
    [
        (FrameDiscriminator, (64, 128), 16),
        (SpectrumDiscriminator, ((64, 33), (128, 50)), 4),
        (BandDiscriminator, ((64, 12), (128, 16)), 4),
    ],
)
def test_a_discriminator_gives_a_verdict_of_each_scale_and_learns(
    kind: Any, sizes: Any, width: int
) -> None:
    torch.manual_seed(0)
    discriminator, original = kind(sizes, width), torch.randn(2, 1200)
    decoded = torch.nn.functional.avg_pool1d(original[:, None], 5, 1, 2)[:, 0].requires_grad_()
    verdicts = discriminator(original, decoded)
    assert len(verdicts) == 2
    for verdict in verdicts:
        for pair in verdict:
            assert pair[0].shape == pair[1].shape and len(pair[0]) == 2
        assert verdict[-1][0].shape[1] == 1
    (gradient,) = torch.autograd.grad(deceiving_loss(verdicts), decoded, retain_graph=True)
    assert gradient.isfinite().all() and gradient.abs().sum(1).all()
    optimizer = torch.optim.AdamW(discriminator.parameters(), lr=5e-3, betas=(0.8, 0.99))
    losses = []
    for _ in range(30):
        verdicts = discriminator(original, decoded.detach())
        losses.append(telling_loss(verdicts))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
    real, fake = mean_scores(verdicts)
    assert real > 0.6 and fake < 0.4


def test_features_of_equal_sound_are_equal() -> None:
    torch.manual_seed(0)
    sound, noise = torch.randn(2, 1, 4800)
    discriminator = FrameDiscriminator((64, 128), width=16)
    with torch.no_grad():
        values = [feature_loss(discriminator(sound, sound + k * noise)) for k in (0, 0.1, 1)]
    assert values[0] == 0 and values[1] < values[2]


def test_spectra_keep_quiet_bands_and_phase() -> None:
    time = torch.arange(4800) / 24_000
    loud, quiet = torch.sin(2 * torch.pi * 1500 * time), torch.sin(2 * torch.pi * 9000 * time)
    magnitude, real, imaginary = compressed_spectrum((loud + 0.01 * quiet)[None], 256)[0, :, :, 30]
    assert magnitude[96] > 0.2 * magnitude[16]  # 40 dB down
    torch.testing.assert_close(
        real.square() + imaginary.square(), magnitude.square(), atol=0.1, rtol=0
    )
    assert real[16] * imaginary[16] != 0


def test_the_balance_makes_gradients_as_long_as_asked() -> None:
    output = torch.ones(4, requires_grad=True)
    losses = {"first": 3 * output.sum(), "second": 0.01 * output.square().sum()}
    balance = Balance()
    balance.measure(losses, output)
    factors = balance.factors({"first": 1.0, "second": 0.5})
    lengths = [
        float(torch.autograd.grad(factors[name] * loss, output, retain_graph=True)[0].norm())
        for name, loss in losses.items()
    ]
    assert lengths == pytest.approx([6.0, 3.0])


def test_only_the_decoder_moves_and_only_after_the_warmup(folder: Path) -> None:
    before = load_state(folder / SHIPPED, "cpu")["codec"]
    alone = finish(folder, "alone", "--steps", "2", "--warmup", "2")
    assert_same(alone["codec"], before)
    after = finish(folder, "both", "--steps", "4", "--warmup", "2", "--listen-steps", "4")
    moved = {
        name for name, tensor in after["codec"].items() if not torch.equal(tensor, before[name])
    }
    assert moved and all(name.startswith(("decoder.", "trims.")) for name in moved)
    assert "decoder.layers.0.reduce.weight" in moved
    for name, tensor in after["discriminator"].items():
        assert not torch.equal(tensor, alone["discriminator"][name]), name
    for name, tensor in after["average"].items():  # between the start and the end
        if name in moved:
            ends = before[name], after["codec"][name]
            assert (tensor - ends[1]).abs().sum() < (ends[0] - ends[1]).abs().sum()
    rows = [json.loads(line) for line in (folder / "both" / "log.jsonl").read_text().splitlines()]
    assert [row["length_adversarial"] > 0 for row in rows] == [False, False, True, True]
    named = {"reconstruction", "mel", "adversarial", "features", "telling", "audio_per_s"}
    assert named | {"score_original", "score_decoded"} <= rows[0].keys()
    heard = json.loads((folder / "both" / "listen" / "brightness.jsonl").read_text())
    assert heard["step"] == 4 and -100 < heard["2 stages"] < 0
    assert len(list((folder / "both" / "listen").glob("*.wav"))) == 16


@pytest.mark.parametrize("options", [["--warmup", "1"], ["--warmup", "3", "--no-balance"]])
def test_a_resumed_run_ends_like_one_without_interruption(folder: Path, options: list[str]) -> None:
    # by steps before the schedule's course starts, the number of steps changes no rate
    whole = finish(folder, "whole", *options, "--steps", "5")
    finish(folder, "parts", *options, "--steps", "2")
    parts = finish(folder, "parts", *options, "--steps", "5")
    for state in (whole, parts):
        del state["seconds"]
    assert_same(parts, whole)
    assert whole["step"] == 5 and whole["past"]["steps"] == 0


def test_a_state_of_something_else_is_refused(folder: Path) -> None:
    (folder / "other").mkdir()
    shutil.copy(folder / "run" / "state.pt", folder / "other")
    with pytest.raises(click.ClickException, match="start from it with --weights"):
        finish(folder, "other", "--steps", "1")


def test_without_discriminators_the_decoder_just_learns(folder: Path) -> None:
    state = finish(folder, "alone", "--steps", "2", "--adversarial", "0", "--features", "0")
    assert "discriminator" not in state
    moved = finish(folder, "alone", "--steps", "3", "--adversarial", "0", "--features", "0")
    name = "decoder.layers.0.reduce.weight"
    assert not torch.equal(state["codec"][name], moved["codec"][name])
    rows = [json.loads(line) for line in (folder / "alone" / "log.jsonl").read_text().splitlines()]
    assert all("telling" not in row and row["reconstruction"] > 0 for row in rows)


def test_a_decoder_grows(folder: Path) -> None:
    """Frames ahead change nothing before they have learned."""
    (folder / "more.json").write_text('{"lookahead": 2}')
    (folder / "other.json").write_text('{"latent_dim": 12}')
    more = ["--config", str(folder / "more.json"), "--adversarial", "0", "--features", "0"]
    state = finish(folder, "grown", *more, "--steps", "1", "--rate", "1e-9")
    assert state["config"]["lookahead"] == 2
    codecs = []
    for found in (load_state(folder / SHIPPED, "cpu"), state):
        codecs.append(Codec(ModelConfig.from_json(found["config"])))
        codecs[-1].load_state_dict(found["codec"])
    pcm = 0.1 * torch.randn(1, 40 * 320, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain, grown = (codec.eval()(pcm, alike(4)).output for codec in codecs)
    assert plain.shape == grown.shape
    torch.testing.assert_close(grown[:, 6400:], plain[:, 6400:], atol=0.02, rtol=0)
    with pytest.raises(click.ClickException, match="differs in more"):
        finish(folder, "other", "--config", str(folder / "other.json"), "--steps", "1")


@pytest.mark.parametrize("last", [False, True])
def test_a_finished_decoder_goes_into_the_shipped_checkpoint(folder: Path, last: bool) -> None:
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
        if not name.startswith(("decoder.", "trims.", "entropy.trim")):
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
