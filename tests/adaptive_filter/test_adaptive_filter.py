"""The adaptive filter in NumPy is the one that is trained, in blocks of any size, and sleeps in
silence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch

from nacli.adaptive_filter import AdaptiveFilter, FilterNetwork, context
from nacli.adaptive_filter.sizes import DELAY, HOP
from nacli.adaptive_filter.windows import filter_windows
from nacli.config import CODED_RATE
from nacli.networks.torch_engine import History, to_checkpoint
from nacli.tensor_file import Tensors
from nacli.types import Floats, Integers
from training.adaptive_filter import adaptive_filter as trained
from training.adaptive_filter.periods import delay_periods, measure_periods

TALK = Path(__file__).parents[1] / "data" / "talk.flac"
HOPS, GAP = 160, slice(60, 110)
"""Hops of the clip, and those of them that are silent."""
FEATURES = 24


@cache
def clip() -> tuple[Floats, Floats, Integers]:
    """Return samples [1, F * HOP] of speech with a gap, features, and stage counts."""
    pcm, rate = soundfile.read(TALK, dtype="float32", always_2d=True)
    speech = soxr.resample(pcm[: 3 * rate].mean(1), rate, CODED_RATE)[: HOPS * HOP]
    hops = speech.reshape(HOPS, HOP).astype(np.float32)
    hops[GAP] = 0
    random = np.random.default_rng(0)
    features = random.normal(size=(HOPS, FEATURES)).astype(np.float32)
    counts = random.integers(0, 12, HOPS).astype(np.int32)
    return hops.reshape(1, -1), features[None], counts[None]


@cache
def module(before: int = 2) -> trained.AdaptiveFilter:
    """Return a filter in torch whose weights, which are exact in float16, have left their start."""
    torch.manual_seed(0)
    network = trained.AdaptiveFilter(trained.FilterConfig(FEATURES, 8, 32, 48, before=before))
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_((weight + 0.05 * torch.randn_like(weight)).half().float())
    return network


def tensors(before: int = 2) -> Tensors:
    return to_checkpoint(module(before).state_dict())


def reference(before: int) -> Floats:
    """Return the output of the filter in torch for the whole clip [F * HOP]."""
    pcm, features, counts = (torch.from_numpy(x) for x in clip())
    lags, strengths = (torch.from_numpy(x)[None] for x in measure_periods(clip()[0][0]))
    late = delay_periods(lags, strengths.float())
    with torch.no_grad():
        output = module(before)(
            trained.FilterInputs(pcm, features, counts, *late), History(), contrast=True
        )
    return output[0].numpy()


def filtered(sizes: Sequence[int] = (), before: int = 2, start: int = 0) -> Floats:
    """Return the output [F * HOP] for the clip from hop `start` on, in calls of these sizes."""
    pcm, features, counts = clip()
    made, adaptive_filter = [], AdaptiveFilter(FilterNetwork(tensors(before)), 1, HOP)
    cuts = [start, *(start + np.cumsum(sizes, dtype=int)), HOPS]
    for first, end in pairwise(cuts):
        samples = pcm[:, first * HOP : end * HOP]
        made.append(adaptive_filter.process(samples, features[:, first:end], counts[:, first:end]))
    return np.concatenate(made, axis=1)[0]


@pytest.mark.parametrize("before", [2, 4])
def test_the_filter_is_the_one_that_is_trained(before: int) -> None:
    expected = reference(before)
    np.testing.assert_allclose(filtered(before=before), expected, atol=2e-6)
    late = DELAY * HOP
    assert np.abs(expected[late:] - clip()[0][0, :-late]).max() > 0.01


@pytest.mark.parametrize("sizes", [[1] * HOPS, [7, 1, 90, 20]])
def test_calls_of_any_size_give_the_same_output(sizes: list[int]) -> None:
    np.testing.assert_allclose(filtered(sizes), filtered(), atol=2e-6)


def test_channels_do_not_depend_on_each_other() -> None:
    pcm, features, counts = (np.concatenate([x, x[:, ::-1]]) for x in clip())
    pair = AdaptiveFilter(FilterNetwork(tensors()), 2, HOP).process(pcm, features, counts)
    np.testing.assert_array_equal(pair[0], filtered())
    assert np.abs(pair[1] - pair[0]).max() > 0.01


def test_a_stream_that_starts_later_is_the_same_after_the_context() -> None:
    start = 12
    later, whole = filtered(start=start), filtered()[start * HOP :]
    reach = context(FilterNetwork(tensors()))
    same = (reach + DELAY) * HOP
    np.testing.assert_allclose(later[same:], whole[same:], atol=2e-6)
    assert np.abs(later - whole)[(DELAY + 6) * HOP : same].max() > 1e-5


def test_the_context_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is further from an output than the context leaves it alone, and no less does."""
    at, reach = 25, context(FilterNetwork(tensors()))
    before = filtered()
    pcm, features, counts = clip()
    changed = pcm.copy()
    changed[:, at * HOP : (at + 1) * HOP] *= -30
    monkeypatch.setattr(f"{__name__}.clip", lambda: (changed, features, counts))
    difference = np.abs(filtered() - before).reshape(HOPS, HOP).max(1)
    hops = (difference > 0).nonzero()[0]
    assert hops.min() == at and hops.max() == at + reach + DELAY


def test_silence_is_silent_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count(network: FilterNetwork, pcm: Floats, *rest: Any) -> Floats:
        calls.append(len(pcm))
        return filter_windows(network, pcm, *rest)

    monkeypatch.setattr("nacli.adaptive_filter.stage.filter_windows", count)
    adaptive_filter = AdaptiveFilter(FilterNetwork(tensors()), 1, HOP)
    _, features, counts = clip()
    silence = np.zeros((1, HOPS * HOP), dtype=np.float32)
    assert not adaptive_filter.process(silence, features, counts).any()
    assert not calls
    output = filtered([1] * HOPS).reshape(HOPS, HOP)
    assert not output[GAP.start + 9 : GAP.stop].any() and output[GAP.stop + DELAY :].any()
    assert len(calls) < HOPS - (GAP.stop - GAP.start) + 12


def test_without_a_network_it_only_delays() -> None:
    pcm, features, counts = clip()
    delay = AdaptiveFilter(None, 1, 200)
    parts = [delay.process(pcm[:, at : at + 400], features, counts) for at in (0, 400, 800)]
    output = np.concatenate(parts, axis=1)
    np.testing.assert_array_equal(output[:, 600:], pcm[:, :600])
    assert not output[:, :600].any() and context(None) == 0


def test_a_network_needs_its_hops() -> None:
    with pytest.raises(ValueError, match="hops of 320 samples, not 240"):
        AdaptiveFilter(FilterNetwork(tensors()), 1, 240)


@pytest.mark.parametrize("name", ["project.weight", "enter.bias", "layers.0.mix.weight"])
def test_a_missing_tensor_is_refused(name: str) -> None:
    rest = {key: value for key, value in tensors().items() if key != name}
    with pytest.raises(KeyError, match=name):
        FilterNetwork(rest)


@pytest.mark.parametrize("name", sorted(tensors()))
def test_a_tensor_that_does_not_fit_is_refused(name: str) -> None:
    whole = tensors()
    wide = np.concatenate([whole[name], whole[name][..., :1]], axis=-1)
    for wrong in (wide, whole[name][:0], whole[name][None]):
        with pytest.raises(ValueError, match="adaptive filter"):
            FilterNetwork(whole | {name: wrong})


def test_layers_that_are_left_over_are_refused() -> None:
    with pytest.raises(ValueError, match="has no other"):
        FilterNetwork(tensors() | {"other.weight": np.zeros(3, dtype=np.float16)})
    last = {key: value for key, value in tensors().items() if key != "layers.1.mix.weight"}
    with pytest.raises(ValueError, match=r"has no layers\.3"):
        FilterNetwork(last)
