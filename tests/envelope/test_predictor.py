"""Predicted corrections depend on decoded levels and the correction before, and are the same in
encoder and decoder."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import train_corrections
from corrections import quantize_corrections
from fake_model import CONFIG, make_model
from nacli import decode, encode
from nacli.checkpoint import load_checkpoint
from nacli.dsp.filterbank import BANDS
from nacli.entropy import ChannelCodes
from nacli.envelope.corrections import (
    CorrectionDecoder,
    CorrectionTargets,
    dequantize_corrections,
    span_ends,
)
from nacli.envelope.predictor import (
    LEVELS,
    LIMIT,
    DecayPredictor,
    LearnedPredictor,
    RecentLevels,
    with_stages,
)
from nacli.timing import PREDICTOR_CONTEXT
from training.envelope.correction_trainer import PredictorNet
from training_run import retrain

MODEL = make_model()
BOOKS = MODEL.codebooks.corrections
SPAN = CONFIG.correction_frames


def energies(frames: int, channels: int = 2) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.exp(random.normal(size=(channels, frames, BANDS))).astype(np.float32)


def test_recent_levels_are_the_same_in_blocks_of_any_size() -> None:
    measured, whole = energies(12), RecentLevels(2).of(energies(12))
    assert whole.shape == (2, 12, LEVELS)
    recent = RecentLevels(2)
    parts = [recent.of(measured[:, f:t]) for f, t in ((0, 1), (1, 7), (7, 12))]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    row = whole[0, 6].reshape(BANDS, PREDICTOR_CONTEXT)
    expected = np.log(measured[0, 7 - PREDICTOR_CONTEXT : 7].T)
    np.testing.assert_allclose(row, (expected - expected.max()) / 4, atol=1e-5)


def test_levels_do_not_depend_on_loudness_and_silence_has_the_lowest() -> None:
    measured = energies(8)
    levels = [RecentLevels(2).of(scale * measured) for scale in (np.float32(1), np.float32(100))]
    np.testing.assert_allclose(
        levels[0][:, PREDICTOR_CONTEXT:], levels[1][:, PREDICTOR_CONTEXT:], atol=1e-4
    )
    assert levels[0].min() >= -3 and levels[0].max() == 0


def test_the_network_predicts_as_the_trained_one() -> None:
    torch.manual_seed(0)
    net = PredictorNet(12, 0.7)
    for layer in (net.second, net.last):
        torch.nn.init.normal_(layer.weight, std=0.3)
    levels, stages = RecentLevels(1).of(energies(9, 1))[0], np.arange(9, dtype=np.int32)
    before = np.random.default_rng(1).normal(size=(9, BANDS)).astype(np.float32)
    predict = LearnedPredictor(net.export()).of(levels, stages, 1)
    predicted = np.stack([predict(n, before[n]) for n in range(9)])
    known = torch.from_numpy(with_stages(levels, stages, 1))
    expected = net(known, torch.from_numpy(before)).detach()
    np.testing.assert_allclose(predicted, expected, atol=0.02)  # half precision


def test_predictions_stay_within_limits() -> None:
    tensors = make_predictor_tensors() | {"last.bias": np.full(BANDS, 99, np.float16)}
    predict = LearnedPredictor(tensors).of(
        RecentLevels(1).of(energies(1, 1))[0], np.zeros(1, np.int32), 2
    )
    assert predict(0, np.zeros(BANDS, np.float32)).max() == LIMIT


@pytest.mark.parametrize("name", ["levels", "before", "second.bias", "last.weight", "memory"])
def test_a_network_whose_layers_do_not_fit_is_refused(name: str) -> None:
    tensors = make_predictor_tensors()
    with pytest.raises(ValueError, match="do not fit"):
        LearnedPredictor(tensors | {name: tensors[name][..., :-1]})
    with pytest.raises(KeyError):
        LearnedPredictor({n: tensor for n, tensor in tensors.items() if n != name})


def make_predictor_tensors() -> dict[str, np.ndarray]:
    return PredictorNet(4, 0.5).export()


def coded(frames: int, stages: int) -> tuple[list[ChannelCodes], np.ndarray]:
    """A packet of two channels with corrections that follow decoded levels, and these levels."""
    random, measured = np.random.default_rng(3), energies(frames)
    counts = np.full(frames, stages, np.int32)
    span = 1 if stages >= CONFIG.correction_fine else SPAN
    ends = span_ends(frames, span)
    channels = []
    for levels in RecentLevels(2).of(measured):
        largest = np.full(len(ends), stages, np.int32)
        predict = MODEL.predictor.of(levels[ends], largest, span)
        corrections = random.normal(size=(len(ends), BANDS)).astype(np.float32) * 0.3
        targets = CorrectionTargets(corrections, np.full(len(ends), 0.001, np.float32), predict)
        codes, numbers = quantize_corrections(targets, BOOKS, MODEL.entropy.corrections)
        plain = np.zeros((frames, CONFIG.stages), np.int32)
        channels.append(ChannelCodes(counts + 40, plain, counts, codes, numbers))
    return channels, measured


@pytest.mark.parametrize(("stages", "cuts"), [(1, (4, 12)), (4, (3, 7, 8))])
def test_corrections_are_the_same_decoded_in_parts_and_at_once(
    stages: int, cuts: tuple[int, ...]
) -> None:
    frames = 18  # the last of the long spans is shorter
    channels, measured = coded(frames, stages)
    whole, parts = (CorrectionDecoder(CONFIG, BOOKS, MODEL.predictor, 2) for _ in range(2))
    whole.start(channels)
    parts.start(channels)
    corrections, edges = whole.take(measured), (0, *cuts, frames)
    decoded = [parts.take(measured[:, f:t]) for f, t in pairwise(edges)]
    np.testing.assert_allclose(np.concatenate(decoded, axis=1), corrections, atol=1e-6)
    span = 1 if stages >= CONFIG.correction_fine else SPAN
    ends = span_ends(frames, span)
    levels = RecentLevels(2).of(measured)[1][ends]
    predict = MODEL.predictor.of(levels, np.full(len(ends), stages, np.int32), span)
    own = dequantize_corrections(
        channels[1].corrections, channels[1].correction_counts, BOOKS, predict
    )
    np.testing.assert_allclose(corrections[1], own.repeat(span, axis=0)[:frames], atol=1e-6)
    assert np.abs(corrections).max() > 0.1
    stay = whole.take(measured[:, :5])  # a gap, or the end
    np.testing.assert_array_equal(stay, corrections[:, -1:].repeat(5, axis=1))


def test_a_packet_does_not_depend_on_the_corrections_before_it() -> None:
    channels, measured = coded(8, 1)
    decoders = [CorrectionDecoder(CONFIG, BOOKS, DecayPredictor(0.9), 2) for _ in range(2)]
    decoders[0].start(coded(18, 4)[0])
    decoders[0].take(energies(18))
    for decoder in decoders:
        decoder.start(channels)
    np.testing.assert_array_equal(decoders[0].take(measured), decoders[1].take(measured))


def test_an_encoder_corrects_wrong_predictions() -> None:
    """The network predicts that low bands must be louder, which would make them too loud."""
    pcm = (0.2 * np.sin(np.arange(48_000) * 0.04)).astype(np.float32)
    louder = np.where(np.arange(BANDS) < 4, 0.6, 0).astype(np.float16)
    nothing = {"last.bias": louder, "memory": np.zeros(BANDS, np.float16)}
    model = make_model()
    model.predictor = LearnedPredictor(make_predictor_tensors() | nothing)
    data, errors = encode(pcm, 24_000, quality=3, model=model), []
    for prediction in (model.predictor, DecayPredictor(0)):
        model.predictor = prediction
        decoded = decode(data, model=model)[0][:, 0]
        powers = [np.square(x).reshape(-1, 1200).mean(1) for x in (pcm, decoded)]
        errors.append(np.abs(np.log(powers[0] / powers[1])).mean())
    assert errors[0] < 0.7 * errors[1]


def test_training_adds_corrections_to_a_checkpoint_or_replaces_them(tmp_path: Path) -> None:
    options = ["--clips", "40", "--steps", "16", "--hidden", "8", "--packets", "3"]
    shipped, made = retrain(train_corrections.main, tmp_path, options)
    before, after = load_checkpoint(shipped), load_checkpoint(made)
    assert before.codebooks.corrections is None and after.config.correction_stages == 3
    assert isinstance(after.predictor, LearnedPredictor)
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[name], tensor)
    assert after.tensors["corrections.entries"].any((1, 2)).all()
    pcm = np.random.default_rng(0).normal(size=24_000).astype(np.float32) * 0.1
    assert len(decode(encode(pcm, 24_000, model=after), model=after)[0]) == 24_000
    retrain(train_corrections.main, tmp_path, [*options, "--stages", "2"], made)
    assert len(load_checkpoint(made).tensors["corrections.entries"]) == 2
