"""The Decoder learns together with the adaptive filter: its path to the filter in torch, steps,
states, and the checkpoint that it ends in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import soundfile
import soxr
import torch
from click.testing import CliRunner

import attach_filter
import nacli
from nacli.adaptive_filter.sizes import HOP
from nacli.checkpoint import load_checkpoint
from nacli.config import CODED_RATE
from nacli.dsp.filterbank import BANDS
from nacli.networks.torch_engine import to_checkpoint
from nacli.types import Floats
from train_filter import main
from training.adaptive_filter.chain import decode_clip
from training.adaptive_filter.decoded import Decoded, save_arrays
from training.adaptive_filter.decoder_chain import decode_again, hops_ahead, load_decoder
from training.adaptive_filter.segments import SegmentSampler
from training.adaptive_filter.states import checkpoint_weights
from training.adaptive_filter.trainer import BEFORE, LEAD, FilterTrainer

HOPS, FRAMES = 150, 16


def sound() -> Floats:
    """Return speech at the coded rate."""
    pcm, rate = soundfile.read(Path(__file__).parents[1] / "data" / "talk.flac", dtype="float32")
    return soxr.resample(pcm, rate, CODED_RATE)[: HOPS * HOP]


@pytest.fixture(scope="module")
def clip() -> Decoded:
    return decode_clip(nacli.load_model(), sound(), 4)[0]


@pytest.fixture
def options(clip: Decoded, tmp_path: Path) -> list[str]:
    """The options of a small run, for which there is a cache."""
    (tmp_path / "cache").mkdir()
    rows = {name: values[None] for name, values in clip._asdict().items()}
    np.savez(tmp_path / "cache" / "speech-000.npz", **rows)
    paths = ["--cache", str(tmp_path / "cache"), "--run", str(tmp_path / "run")]
    return [*paths, "--frames", str(FRAMES), "--batch", "1", "--decoder-rate", "1e-3", "--quiet"]


def trainer_and_sampler(options: list[str]) -> tuple[FilterTrainer, SegmentSampler]:
    values = main.make_context("train_filter", list(options)).params
    trainer = FilterTrainer(values)
    assert trainer.decoder
    around = BEFORE, hops_ahead(trainer.decoder)
    return trainer, SegmentSampler(values["cache"], FRAMES, 0, *around)


def snr(signal: Any, other: Any) -> float:
    """Return the SNR of two arrays in dB."""
    first, second = (np.asarray(x, dtype=np.float64) for x in (signal, other))
    return float(10 * np.log10(np.square(first).sum() / np.square(first - second).sum()))


def test_the_decoder_in_torch_gives_the_filter_what_the_codec_gives_it(clip: Decoded) -> None:
    assert np.abs(clip.corrections).max() > 0.5 and len(np.unique(clip.counts)) > 1
    again = decode_again(load_decoder(nacli.load_model()), clip)
    inside = slice(BEFORE + LEAD, -1)  # a cut knows nothing before and after it
    hops = (x.reshape(-1, HOP)[inside] for x in (clip.decoded, again.decoded))
    assert snr(*hops) > 60
    assert snr(clip.features[inside], again.features[inside]) > 50
    assert np.mean(clip.lags[2 * BEFORE :] == again.lags[2 * BEFORE :]) > 0.9


def test_a_cut_is_decoded_as_the_whole_clip_was(options: list[str]) -> None:
    trainer, sampler = trainer_and_sampler(options)
    batch = sampler.batch(2)
    made = trainer._inputs(batch)
    assert made.pcm.shape == batch.inputs.pcm.shape
    assert made.features.shape == batch.inputs.features.shape
    inside = slice(LEAD * HOP, None)
    assert snr(batch.inputs.pcm[:, inside], made.pcm.detach()[:, inside]) > 50
    assert snr(batch.inputs.features, made.features.detach()) > 30


def test_a_step_changes_both_networks_and_a_restored_state_goes_on_as_before(
    options: list[str],
) -> None:
    trainer, sampler = trainer_and_sampler(options)
    assert trainer.decoder
    before = {n: w.detach().clone() for n, w in trainer.decoder.named_parameters()}
    start = trainer.network.leave.weight.detach().clone()
    trainer.train_step(sampler.batch(1))
    assert (trainer.network.leave.weight != start).any()
    for name, weight in trainer.decoder.named_parameters():
        learns = not name.startswith(("up_", "subframe.", "features."))
        assert bool((weight != before[name]).any()) == learns, name
    state, batch = trainer.state(), sampler.batch(1)
    state = {name: x.copy() if isinstance(x, dict) else x for name, x in state.items()}
    resumed, _ = trainer_and_sampler(options)
    torch.save(state, path := Path(options[1]) / "state.pt")
    resumed.restore(torch.load(path, weights_only=True))
    assert trainer.train_step(batch) == resumed.train_step(batch)
    for name, average in trainer.decoder_average.weights.items():
        assert torch.equal(average, resumed.decoder_average.weights[name]), name


def test_both_networks_go_into_a_checkpoint_that_decodes(
    options: list[str], tmp_path: Path
) -> None:
    result = CliRunner().invoke(main, [*options, "--steps", "2"], catch_exceptions=False)
    assert result.exit_code == 0
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    out = tmp_path / "out.safetensors"
    paths = ["--run", str(tmp_path / "run" / "state.pt"), "--out", str(out)]
    assert CliRunner().invoke(attach_filter.main, paths).exit_code == 0
    model, shipped = load_checkpoint(out), nacli.load_model()
    assert model.tensors.keys() == shipped.tensors.keys()
    trained = {"decoder." + name: x for name, x in state["decoder_average"].items()}
    trained |= {"filter." + name: x for name, x in state["average"].items()}
    for name, weight in (shipped.tensors | to_checkpoint(trained)).items():
        assert weight.dtype == shipped.tensors[name].dtype
        np.testing.assert_array_equal(model.tensors[name], weight)
    changed = "decoder.layers.0.expand.weight"
    assert (model.tensors[changed] != shipped.tensors[changed]).any()
    data = nacli.encode(sound(), CODED_RATE, bitrate=4, model=model)
    decoded = nacli.decode(data, model=model)[0]
    assert len(decoded) == HOPS * HOP and np.abs(decoded).max() > 0.1


def test_states_are_averaged_with_each_other_and_the_checkpoint(
    options: list[str], tmp_path: Path
) -> None:
    for run, seed in (("first", "1"), ("second", "2")):
        arguments = ["--run", str(tmp_path / run), "--seed", seed, "--steps", "1"]
        result = CliRunner().invoke(main, [*options, *arguments], catch_exceptions=False)
        assert result.exit_code == 0
    states = [tmp_path / run / "state.pt" for run in ("first", "second")]
    out = tmp_path / "out.safetensors"
    arguments = [word for state in states for word in ("--run", str(state))]
    arguments += ["--share", "0.6", "--level-exponent", "0.5", "--out", str(out)]
    result = CliRunner().invoke(attach_filter.main, arguments)
    assert result.exit_code == 0, result.output
    found, own = load_checkpoint(out).tensors, nacli.load_model().tensors
    first, second = (to_checkpoint(checkpoint_weights(state)) for state in states)
    for name in ("decoder.layers.0.expand.weight", "filter.leave.weight"):
        assert (first[name] != second[name]).any()
        expected = 0.4 * own[name].astype("f4") + 0.3 * (first[name].astype("f4") + second[name])
        if name.startswith("filter."):
            expected[:, :BANDS] *= 0.5  # the logarithms of levels
        np.testing.assert_allclose(found[name].astype("f4"), expected, atol=1e-3)


def test_states_with_and_without_a_decoder_are_not_averaged(
    options: list[str], tmp_path: Path
) -> None:
    for run, rate in (("first", "1e-3"), ("second", "0")):
        arguments = ["--run", str(tmp_path / run), "--decoder-rate", rate, "--steps", "1"]
        assert CliRunner().invoke(main, [*options, *arguments]).exit_code == 0
    runs = [str(tmp_path / run / "state.pt") for run in ("first", "second")]
    out = tmp_path / "out.safetensors"
    arguments = ["--run", runs[0], "--run", runs[1], "--out", str(out)]
    result = CliRunner().invoke(attach_filter.main, arguments)
    assert result.exit_code == 1 and "different networks" in result.output
    assert not out.exists()


def test_decoded_sound_of_an_older_version_is_refused(clip: Decoded, tmp_path: Path) -> None:
    fields = clip._asdict()
    del fields["gains"]
    save_arrays(tmp_path / "speech-000.npz", {name: x[None] for name, x in fields.items()})
    with pytest.raises(click.ClickException, match="without gains: make it anew"):
        SegmentSampler(tmp_path, 16, 0)
