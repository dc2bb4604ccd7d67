"""The trainer: what each mode moves, interruptions, chained runs, and what a CUDA graph allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nacli.config import ModelConfig
from nacli.networks.torch_engine import History
from nacli.networks.torch_engine.layers import CausalConv
from train import main
from training.codec import Codec
from training.discriminators.discriminators import Discriminators
from training.loop.states import load_state, save_weights
from training.options import losses_from
from training.trainer import adversary
from training.trainer.cuda_graph import shift_convolutions
from training.trainer.trainer import CodecTrainer
from training_run import TINY, make_state, prepared_run, run_command

AGAINST = ["--adversarial", "1", "--features", "2", "--alone", "0"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a corpus and a state, for trainings with two discriminators."""
    monkeypatch.setattr(adversary, "Discriminators", small_discriminators)
    yield from prepared_run(tmp_path)


def small_discriminators() -> Discriminators:
    return Discriminators(sizes=(256,), periods=(11,))


def train(folder: Path, run: str, *options: str) -> dict[str, Any]:
    """Run the command from the prepared state, and return the state that it saves."""
    paths = {"corpus": "corpus", "run": run, "init": "run/state.pt"}
    return run_command(main, folder, paths, options)


def log(folder: Path, run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / run / "log.jsonl").read_text().splitlines()]


def moved(state: dict[str, Any]) -> set[str]:
    """Return the parts of the codec that have left the prepared state."""
    before = make_state()["codec"]
    changed = [n for n, t in state["codec"].items() if not torch.equal(t, before[n])]
    return {name.split(".")[0] for name in changed}


def assert_same(first: Any, second: Any) -> None:
    """Assert that nested states are equal to the last bit."""
    if isinstance(first, Tensor):
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


@pytest.mark.parametrize("options", [[], AGAINST])
def test_a_resumed_run_ends_like_one_without_interruption(folder: Path, options: list[str]) -> None:
    # with a constant rate, the number of steps in all changes no step
    options = [*options, "--floor", "1"]
    whole = train(folder, "whole", *options, "--steps", "3")
    train(folder, "parts", *options, "--steps", "1")
    parts = train(folder, "parts", *options, "--steps", "3")
    for state in (whole, parts):
        del state["seconds"]
    assert_same(parts, whole)
    assert whole["step"] == 3 and moved(whole) == {"encoder", "quantizer", "decoder"}
    names = {"reconstruction", "mel", "compressed", "waveform", "commitment", "gradient"}
    own = {"adversarial", "features", "discriminator", "score_original", "score_decoded"}
    rows = log(folder, "whole")
    assert [row["step"] for row in rows] == [1, 2, 3, 3]
    assert names <= rows[0].keys() and (own <= rows[0].keys()) == (options[0] == "--adversarial")
    assert {"SI-SDR 4", "brightness 8"} <= rows[-1].keys()
    assert len(list((folder / "whole" / "listen").glob("*.wav"))) == 6


@pytest.mark.parametrize("options", [[], AGAINST])
def test_a_frozen_encoder_keeps_its_codes(folder: Path, options: list[str]) -> None:
    state = train(folder, "frozen", "--freeze", "0", "--steps", "2", *options)
    assert moved(state) == {"decoder"}
    before = make_state()["average"]
    for name, weight in state["average"].items():
        assert torch.equal(weight, before[name]) or not name.startswith("encoder.")


def test_encoder_and_codebooks_freeze_in_the_middle(folder: Path) -> None:
    first = train(folder, "run-1", "--freeze", "0.5", "--steps", "2", "--until", "0.5")
    assert moved(first) == {"encoder", "quantizer", "decoder"}
    paths = {"corpus": "corpus", "run": "run-2", "init": "run-1/weights.pt"}
    chained = ["--begin", "0.5", "--freeze", "0.5", "--steps", "1"]
    second = run_command(main, folder, paths, chained)
    weights = load_state(folder / "run-1" / "weights.pt", "cpu")["codec"]
    for name, weight in second["codec"].items():
        if not name.startswith("decoder."):
            assert torch.equal(weight, weights[name]), name
    assert second["past"]["steps"] == 2 and second["step"] == 1


def test_the_codec_learns_from_discriminators_only_when_they_tell(folder: Path) -> None:
    options = ["--features", "5", "--steps", "2", "--rate", "1e-2"]
    plain = train(folder, "plain", "--steps", "2", "--rate", "3e-3")  # 0.3 of the rate alone
    alone = train(folder, "alone", *options, "--alone", "600")
    told = train(folder, "told", *options, "--alone", "0")
    name = "decoder.layers.0.reduce.weight"
    torch.testing.assert_close(alone["codec"][name], plain["codec"][name], atol=1e-5, rtol=1e-3)
    assert alone["told"] is None and told["told"] == 0
    for state in (alone, told):
        start = small_discriminators().state_dict()
        pairs = [(weight, start[name]) for name, weight in state["discriminators"].items()]
        assert not any(torch.equal(*pair) for pair in pairs if pair[0].numel() > 1)


def test_a_run_stops_after_its_time_and_resumes_with_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=count(step=0.25).__next__)  # four looks at it in a step
    monkeypatch.setattr("training.trainer.run.time", clock)
    state = train(folder, "timed", "--seconds", "1.9", "--steps", "1")  # overrides steps
    assert state["step"] == 3 and state["seconds"] >= 1.9
    longer = train(folder, "timed", "--hours", str(4 / 3600))
    assert longer["step"] > 3 and longer["seconds"] >= 4


def test_small_files_start_the_next_run(folder: Path) -> None:
    state = train(folder, "first", *AGAINST, "--steps", "1")
    found = load_state(folder / "first" / "weights.pt", "cpu")
    for name, weight in found["codec"].items():
        expected = state["average"].get(name, state["codec"][name])
        torch.testing.assert_close(weight, expected, atol=1e-3, rtol=1e-3)
    stored = torch.load(folder / "first" / "discriminators.pt", weights_only=True)
    assert stored["discriminators"].keys() == state["discriminators"].keys()
    config = {"stages": 16, "width": 16}
    bare = {"codec": state["codec"], "average": {}, "config": config, "step": 5, "seconds": 9.0}
    save_weights({**bare, "past": {}}, folder)
    assert load_state(folder / "weights.pt", "cpu")["config"] == config


class NothingFromCpu(TorchDispatchMode):
    """Refuses operations that a CUDA graph cannot hold, on a device that is not the CPU."""

    def __torch_dispatch__(
        self, func: Any, kinds: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = torch.utils._pytree.tree_leaves((args, kwargs or {}))
        on_cpu = [x for x in given if isinstance(x, Tensor) and x.device.type == "cpu"]
        binary = str(func).split(".")[1] in ("add", "mul", "sub", "div", "pow", "rsub")
        assert not on_cpu or binary, f"{func} takes a tensor of the CPU"
        result = func(*args, **(kwargs or {}))
        made = [x for x in torch.utils._pytree.tree_leaves(result) if isinstance(x, Tensor)]
        assert on_cpu or all(x.device.type == "meta" for x in made), f"{func} makes one there"
        return result


@pytest.mark.parametrize("freeze", [0.0, 1.0])
def test_a_step_needs_nothing_of_the_cpu(freeze: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA graph holds no copies from the CPU and no sizes that depend on values."""
    monkeypatch.setattr(adversary, "Discriminators", Discriminators)
    values = [p.get_default(main.make_context("train", [])) for p in main.params]
    options = dict(zip((p.name for p in main.params), values, strict=True))
    options |= {"device": "meta", "bf16": False, "adversarial": 1.0, "features": 1.0}
    options |= {"freeze": freeze, "seconds": None}
    config = ModelConfig.from_json({**TINY, "recurrent_layers": 0, "lookahead": 2})
    codec = Codec(config).to("meta")
    shift_convolutions(codec)
    sample = partial(torch.rand, 2, 30 * 320, device="meta")
    trainer = CodecTrainer(codec, losses_from(options, 24_000), lambda _: sample(), options)
    trainer.codec.freeze(trainer.frozen)
    with NothingFromCpu():  # type: ignore[no-untyped-call]
        logged = trainer._pass()
    assert logged["reconstruction"].device.type == "meta"
    gradients = {name for name, p in codec.named_parameters() if p.grad is not None}
    assert any(name.startswith("encoder.") for name in gradients) == bool(freeze)
    assert all(p.grad is not None for p in trainer.adversary.parameters)  # type: ignore[union-attr]


def test_shifted_convolutions_are_the_same() -> None:
    torch.manual_seed(0)
    layer = CausalConv(3, 5, 7)
    x = torch.randn(2, 20, 3)
    expected = layer(x, History())
    shift_convolutions(layer)
    torch.testing.assert_close(layer(x, History()), expected, atol=1e-5, rtol=1e-5)


def test_the_reconstruction_is_the_weighted_sum_of_its_parts(folder: Path) -> None:
    weights = {"mel": 0.5, "compressed": 2.0, "waveform": 0.25}
    options = [text for name, weight in weights.items() for text in (f"--{name}", str(weight))]
    train(folder, "weights", *options, "--steps", "1", "--complex-share", "1")
    row = log(folder, "weights")[0]
    total = sum(weight * row[name] for name, weight in weights.items())
    assert row["reconstruction"] == pytest.approx(total, rel=1e-3)
    assert np.isfinite(row["commitment"])
