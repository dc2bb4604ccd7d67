"""What the adaptive filter gets in the decoder is what it is trained on, and a filter that is put
into a checkpoint filters as in its training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import attach_filter
import nacli
import training_run
from nacli.adaptive_filter.sizes import DELAY, HOP
from nacli.checkpoint import Model, load_checkpoint, save_checkpoint
from nacli.config import CODED_RATE
from nacli.decoder.depacketizer import Depacketizer
from nacli.decoder.parts import Coded
from nacli.types import Floats
from training.adaptive_filter import cache, evaluation
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterConfig
from training.adaptive_filter.chain import decode_clip, record_decoder
from training.adaptive_filter.decoded import Decoded
from training.adaptive_filter.evaluation import enhance, read_clips, write_clips
from training.adaptive_filter.segments import SegmentSampler
from training.corpus.sampler import Source

HOPS, LOOKAHEAD = 120, 2


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkpoint of a tiny codec with look-ahead, whose layers all contribute to its sound."""
    folder = tmp_path_factory.mktemp("filter")
    path, threads = folder / "tiny.safetensors", torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training_run.TINY, "lookahead", LOOKAHEAD)
        training_run.make_run(folder)
    training_run.ship(folder / "run" / "state.pt", path)
    model, random = load_checkpoint(path), np.random.default_rng(1)
    tensors = {
        name: (x + random.normal(0, 0.05, x.shape)).astype(x.dtype)
        if name.startswith("decoder.")
        else x
        for name, x in model.tensors.items()
    }
    save_checkpoint(path, model.config, tensors, {})
    yield path
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tiny(checkpoint: Path) -> Model:
    return load_checkpoint(checkpoint)


def sound() -> Floats:
    """Return a voiced sound in noise, whose level changes."""
    random, time = np.random.default_rng(2), np.arange(HOPS * HOP) / CODED_RATE
    tones = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 9))
    levels = 10 ** random.uniform(-1.5, 0, HOPS // 10).repeat(10 * HOP)
    pcm = levels * (0.1 * tones + 0.02 * random.standard_normal(len(time)))
    return pcm.astype(np.float32)


def save_filter(path: Path, width: int) -> AdaptiveFilter:
    """Save a state with a random filter behind a Decoder of this width; return the filter. Its
    weights are exact in float16."""
    torch.manual_seed(0)
    network = AdaptiveFilter(FilterConfig(width, 8, 32, 48, 2, 5, before=4))
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_((weight + 0.05 * torch.randn_like(weight)).half().float())
    average = network.state_dict()
    last = {name: torch.zeros_like(weight) for name, weight in average.items()}
    torch.save({"config": network.config.to_json(), "filter": last, "average": average}, path)
    return network


def attach(run: Path, model: Path, out: Path, share: float = 1) -> str:
    """Return the output of the command."""
    values = {"run": run, "model": model, "out": out, "share": share}
    options = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    return CliRunner().invoke(attach_filter.main, options).output


def test_an_attached_filter_decodes_as_in_training(checkpoint: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state.pt", tmp_path / "out.safetensors"
    network = save_filter(state, training_run.TINY["width"])
    assert attach(state, checkpoint, out).startswith(f"{out}: {out.stat().st_size} bytes")
    model, plain = load_checkpoint(out), load_checkpoint(checkpoint)
    kept = {name for name in model.tensors if not name.startswith("filter.")}
    assert kept == plain.tensors.keys()
    assert model.tensors["filter.enter.weight"].dtype == np.float16

    data = nacli.encode(sound(), CODED_RATE, bitrate=6, model=model)
    found = nacli.decode(data, model=model)[0][:, 0]
    clip, _ = decode_clip(model, sound(), 6)
    recorded, _, _ = record_decoder(model, data)
    pcm, features = recorded.pcm[: len(found)], recorded.features[:HOPS]
    single: Any = {"decoded": pcm, "features": features}  # not half precision
    expected = enhance(network, None, clip._replace(**single))
    inside = slice(30 * HOP, -DELAY * HOP)  # training knows no sound before and after clips
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)
    assert np.abs(expected).max() < 1, "nothing is clipped"
    assert np.square(expected - pcm).mean() > 1e-3 * np.square(expected).mean()


def test_a_filter_of_another_decoder_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state.pt", tmp_path / "out.safetensors"
    save_filter(state, 24)
    output = attach(state, checkpoint, out)
    assert output.startswith(f"Error: {state} and {checkpoint}: ") and "24 feat" in output
    assert not out.exists()


def test_weights_of_another_network_are_not_averaged(checkpoint: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state.pt", tmp_path / "out.safetensors"
    save_filter(state, training_run.TINY["width"])
    output = attach(state, checkpoint, out, share=0.6)
    assert output.startswith(f"Error: {state} and {checkpoint}: ") and "no mean" in output
    assert not out.exists()


def test_stage_counts_are_those_of_the_output_frames(tiny: Model) -> None:
    data = nacli.encode(sound(), CODED_RATE, bitrate=2, model=tiny)
    reader = Depacketizer(tiny, conceal=False)
    parts = [*reader.feed(data), *reader.finish()]
    counts = np.concatenate(
        [part.codes.channels[0].counts for part in parts if isinstance(part, Coded)]
    )
    assert len(np.unique(counts)) > 1
    recorded, latents, gains = record_decoder(tiny, data)
    hops = HOPS - LOOKAHEAD
    np.testing.assert_array_equal(recorded.counts[:hops], counts[1 : 1 + hops])
    assert len(latents) == len(gains) == len(counts)
    assert len(recorded.pcm) == HOP * len(recorded.features) == HOP * len(recorded.counts)


def test_the_recorded_sound_is_the_decoded_one(tiny: Model) -> None:
    """Without a filter, the chain only delays what the filter would get."""
    data = nacli.encode(sound(), CODED_RATE, bitrate=4, model=tiny)
    decoded = nacli.decode(data, model=tiny)[0][:, 0]
    np.testing.assert_array_equal(record_decoder(tiny, data)[0].pcm[: len(decoded)], decoded)
    clip, kbps = decode_clip(tiny, sound(), 4)
    assert kbps == pytest.approx(8 * len(data) / 1000 / (len(sound()) / CODED_RATE))
    np.testing.assert_allclose(clip.original, sound(), atol=1e-4)
    np.testing.assert_allclose(clip.decoded, decoded, rtol=1e-3, atol=1e-7)


def sources() -> list[Source]:
    """Noise as music, and noise of a constant magnitude as speech."""
    noise = np.random.default_rng(3).normal(size=20 * CODED_RATE) * 3000
    speech = 3000 * np.sign(noise)
    rows = {"speech": speech, "music": noise}
    return [Source(kind, kind, samples.astype(np.int16)) for kind, samples in rows.items()]


def test_a_cache_has_segments_of_speech_and_music(
    tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache, "CLIPS", 2)
    monkeypatch.setattr(cache, "SEGMENT_FRAMES", 20)
    cache.fill_cache(tiny, sources(), tmp_path, range(2, 4))
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "speech-002",
        "music-003",
    ]
    cache.fill_cache(tiny, sources(), tmp_path, range(2, 4))
    assert not capsys.readouterr().out
    for kind, name in (("speech", "speech-002"), ("music", "music-003")):
        with np.load(tmp_path / f"{name}.npz") as stored:
            assert stored["pcm"].shape == (2 * 3, 20 * HOP) and stored["lags"].shape == (6, 40, 2)
            magnitudes = np.abs(stored["pcm"][0].astype(int))
            assert (np.ptp(magnitudes) <= 1) == (kind == "speech")
    sampler = SegmentSampler(tmp_path, 15, seed=0)
    pcm, inputs, _ = sampler.batch(4)
    assert pcm.shape == inputs.pcm.shape == (4, 15 * HOP) and inputs.counts.shape == (4, 15)


def test_validation_clips_are_stored_for_two_bitrates(
    tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "SECONDS", 0.8)
    monkeypatch.setattr(evaluation, "BITRATES", (1.5, 4))
    write_clips(tiny, sources(), "music", 2, store := tmp_path / "new" / "clips.npz")
    low, high = read_clips(store)
    assert len(low) == len(high) == 2
    for name, value in decode_clip(tiny, low[1].original, 4)[0]._asdict().items():
        np.testing.assert_array_equal(getattr(high[1], name), value)
    held_out = sources()[1].validation[: len(low[0].pcm)] / 32768
    np.testing.assert_allclose(low[0].original, held_out, atol=1e-4)
    assert low[0].counts.mean() < high[0].counts.mean()
    assert isinstance(low[0], Decoded)
