"""The adaptive filter behind the Decoder: start, streaming, and runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from nacli.adaptive_filter.sizes import DELAY, HOP
from nacli.dsp.filterbank import BANDS
from nacli.networks.torch_engine import History
from nacli.types import Floats
from train_filter import main
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterConfig, FilterInputs
from training.adaptive_filter.decoded import Decoded
from training.adaptive_filter.evaluation import enhance
from training.adaptive_filter.periods import delay_periods, measure_periods
from training.adaptive_filter.states import load_filter
from training.discriminators.discriminators import Discriminators

FRAMES = 40
SMALL = {"width": 32, "hidden": 32, "blocks": 1}


def voice(pitch: float = 150) -> tuple[Floats, Floats]:
    """Return samples of a voiced sound in noise, and features."""
    random = np.random.default_rng(1)
    time = np.arange(FRAMES * HOP) / 24_000
    tones = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 9))
    pcm = (0.1 * tones + 0.01 * random.standard_normal(len(time))).astype(np.float32)
    return pcm, random.standard_normal((FRAMES, 384)).astype(np.float32)


def clip(pitch: float = 150) -> FilterInputs:
    """Return what the filter takes of the voiced sound."""
    pcm, features = voice(pitch)
    lags, strengths = (torch.from_numpy(x)[None] for x in measure_periods(pcm))
    counts, late = torch.full((1, FRAMES), 4), delay_periods(lags, strengths.float())
    return FilterInputs(
        torch.from_numpy(pcm)[None], torch.from_numpy(features)[None], counts, *late
    )


def perturbed(**sizes: Any) -> AdaptiveFilter:
    """Return a filter whose weights have left their start."""
    torch.manual_seed(2)
    network = AdaptiveFilter(FilterConfig(**SMALL, **sizes))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    return network


def test_the_filter_starts_as_a_delay() -> None:
    inputs, late = clip(), DELAY * HOP
    with torch.no_grad():
        output = AdaptiveFilter(FilterConfig())(inputs, History())
    torch.testing.assert_close(output[:, late:], inputs.pcm[:, :-late], atol=1e-5, rtol=0)
    assert output[:, :late].abs().max() < 1e-6


@pytest.mark.parametrize("sizes", [[1] * FRAMES, [7, 1, 20, 12]])
def test_chunks_of_any_size_give_the_same_output(sizes: list[int]) -> None:
    inputs, network = clip(), perturbed(before=4)
    whole = network(inputs, History())
    history, parts, at = History(), [], 0
    for size in sizes:
        rates = (HOP, 1, 1, 2, 2)
        cut = (x[:, at * r : (at + size) * r] for x, r in zip(inputs, rates, strict=True))
        parts.append(network(FilterInputs(*cut), history))
        at += size
    torch.testing.assert_close(whole, torch.cat(parts, 1), atol=2e-5, rtol=0)
    assert (whole[:, DELAY * HOP :] - inputs.pcm[:, : -DELAY * HOP]).abs().max() > 1e-3


def test_gradients_reach_every_weight() -> None:
    network = perturbed(before=4)
    network(clip(), History()).square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0, name


def test_periods_are_those_of_the_sound() -> None:
    inputs, inside = clip(pitch=150), slice(20, -10)
    lags = inputs.lags[0, inside].abs().float()
    assert torch.equal(lags.median(0).values, torch.full((2,), 160.0))
    assert inputs.strengths[0, inside].min() > 0.5


def decoded() -> Decoded:
    """Return a clip as the cache stores it."""
    pcm, features = voice()
    lags, strengths = measure_periods(pcm)
    counts = np.full(FRAMES, 4, dtype=np.uint8)
    original = np.rint(pcm * 32767).astype(np.int16)
    columns = pcm.astype(np.float16), features.astype(np.float16), counts
    periods = lags.astype(np.int16), strengths.astype(np.float16)
    latents, corrections = (np.zeros((FRAMES, n), dtype=np.float16) for n in (160, BANDS))
    return Decoded(original, *columns, *periods, latents, counts, corrections)


def test_filtered_clips_are_aligned_with_the_original() -> None:
    output = enhance(AdaptiveFilter(FilterConfig()), None, decoded(), contrast=False)
    np.testing.assert_allclose(output, decoded().decoded.astype(np.float32), atol=1e-5)


def test_a_run_against_discriminators_resumes(tmp_path: Path) -> None:
    cache, judge = tmp_path / "cache", tmp_path / "judge.pt"
    cache.mkdir()
    np.savez(cache / "speech-001.npz", **{k: v[None] for k, v in decoded()._asdict().items()})
    torch.save({"judge": Discriminators().state_dict()}, judge)
    options = ["--cache", str(cache), "--run", str(tmp_path / "run"), "--discriminator", str(judge)]
    options += ["--frames", "24", "--batch", "2", "--crop", "2560", "--log-steps", "1", "--quiet"]
    for steps in ("1", "2"):
        result = CliRunner().invoke(main, [*options, "--steps", steps], catch_exceptions=False)
        assert result.exit_code == 0
    rows = [json.loads(row) for row in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert {"total", "adversarial", "features", "norm"} <= rows[1].keys()
    started = [*options, "--steps", "1", "--init", str(tmp_path / "run/state.pt")]
    started[3] = str(tmp_path / "second")
    assert CliRunner().invoke(main, started, catch_exceptions=False).exit_code == 0
    first, second = (load_filter(tmp_path / name / "state.pt") for name in ("run", "second"))
    assert first.enter.weight.std() > 0
    torch.testing.assert_close(first.enter.weight, second.enter.weight, atol=1e-3, rtol=0)


def test_a_run_names_what_it_cannot_use(tmp_path: Path) -> None:
    cache, state = tmp_path / "cache", tmp_path / "state.pt"
    cache.mkdir()
    torch.save({"codec": {}, "config": {}}, state)
    options = ["--cache", str(cache), "--run", str(tmp_path / "run"), "--quiet"]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 1 and f"{cache} has no files" in result.output
    result = CliRunner().invoke(main, [*options, "--init", str(state)])
    assert result.exit_code == 1 and f"{state}: not a state" in result.output
