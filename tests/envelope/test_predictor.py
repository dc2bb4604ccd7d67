"""Corrections are predicted from those before them, the same in encoder and decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import train_corrections
from corrections import decaying, quantize_corrections
from fake_model import CONFIG, make_model
from nacli import decode, encode
from nacli.checkpoint import Model, load_checkpoint
from nacli.dsp.filterbank import BANDS
from nacli.entropy import ChannelCodes
from nacli.envelope.corrections import (
    LIMIT,
    CorrectionDecoder,
    CorrectionTargets,
    dequantize_corrections,
)
from nacli.envelope.predictor import CorrectionPredictor, SpanPredictor
from nacli.errors import BadCheckpoint
from training.envelope.correction_data import CorrectionClips
from training.envelope.correction_trainer import CorrectionTrainer, fit_prediction
from training.quantizer.corrections import CorrectionQuantizer
from training_run import retrain

MODEL = make_model()
BOOKS = MODEL.codebooks.corrections
SPAN = CONFIG.correction_frames


def test_predictions_are_linear_in_the_difference_from_the_mean() -> None:
    random = np.random.default_rng(0)
    mean, before = random.normal(size=(2, BANDS)).astype(np.float32)
    weights = random.normal(size=(BANDS, BANDS)).astype(np.float32)
    predictor = SpanPredictor(mean, weights)
    np.testing.assert_allclose(predictor(before), mean + (before - mean) @ weights, atol=1e-5)
    np.testing.assert_allclose(predictor(mean), mean, atol=1e-5)


def test_spans_of_one_frame_have_their_own_prediction() -> None:
    means = np.stack([np.zeros(BANDS), np.ones(BANDS)]).astype(np.float32)
    predictor = CorrectionPredictor(means, np.zeros((2, BANDS, BANDS), np.float32))
    assert [predictor.of(span).mean[0] for span in (1, 2, 4)] == [0, 1, 1]


@pytest.mark.parametrize("sign", [-1, 1])
def test_corrections_stay_within_limits(sign: int) -> None:
    """Where a crafted model makes them grow."""
    code = 15 if sign > 0 else 0  # the loudest, or the softest, of the low bands
    codes, counts = np.full((50, 2), code, np.int32), np.zeros(50, np.int32)
    counts[0] = 1
    corrections = dequantize_corrections(codes, counts, BOOKS, decaying(2.0))
    low = sign * corrections[:, :4]
    assert 0 < low[0].min() < LIMIT and (low[-1] == LIMIT).all()


@pytest.mark.parametrize("span", [1, SPAN])
def test_a_packet_without_codes_has_the_mean_corrections(span: int) -> None:
    codes, counts = np.zeros((9, 2), np.int32), np.zeros(9, np.int32)
    predictor = MODEL.predictor.of(span)
    corrections = dequantize_corrections(codes, counts, BOOKS, predictor)
    np.testing.assert_allclose(corrections, predictor.mean[None].repeat(9, axis=0), atol=1e-6)
    assert np.abs(corrections).max() > 0.01


@pytest.mark.parametrize("name", ["means", "weights"])
def test_a_prediction_of_the_wrong_shape_is_refused(name: str) -> None:
    model = load_checkpoint()
    tensor = model.tensors[f"corrections.{name}"]
    for broken in (tensor[:1], tensor[..., :-1]):
        with pytest.raises(BadCheckpoint, match="prediction of corrections"):
            Model(model.config, model.tensors | {f"corrections.{name}": broken})
    for value in (np.nan, np.inf, 3e38):
        with pytest.raises(BadCheckpoint, match="out of range"):
            Model(model.config, model.tensors | {f"corrections.{name}": tensor * 0 + value})
    missing = {n: t for n, t in model.tensors.items() if n != f"corrections.{name}"}
    with pytest.raises(BadCheckpoint, match=name):
        Model(model.config, missing)


def coded(frames: int, stages: int) -> list[ChannelCodes]:
    """A packet of two channels with corrections."""
    random = np.random.default_rng(3)
    counts = np.full(frames, stages, np.int32)
    span = 1 if stages >= CONFIG.correction_fine else SPAN
    spans = -(-frames // span)
    channels = []
    for _ in range(2):
        corrections = random.normal(size=(spans, BANDS)).astype(np.float32) * 0.3
        weights = np.full(spans, 0.001, np.float32)
        targets = CorrectionTargets(corrections, weights, MODEL.predictor.of(span))
        codes, numbers = quantize_corrections(targets, BOOKS, MODEL.entropy.corrections)
        plain = np.zeros((frames, CONFIG.stages), np.int32)
        channels.append(ChannelCodes(counts + 40, plain, counts, codes, numbers))
    return channels


@pytest.mark.parametrize("stages", [1, 4])
def test_corrections_are_those_of_the_codes_and_stay_after_the_packet(stages: int) -> None:
    frames = 17  # the last of the long spans is shorter
    channels = coded(frames, stages)
    whole, parts = (CorrectionDecoder(CONFIG, BOOKS, MODEL.predictor, 2) for _ in range(2))
    assert not whole.take(4).any()  # before the first packet
    whole.start(channels)
    parts.start(channels)
    corrections = whole.take(frames + 5)  # a gap, or the end
    decoded = [parts.take(size) for size in (3, 0, 4, 1, frames - 8 + 2, 3)]
    np.testing.assert_array_equal(np.concatenate(decoded, axis=1), corrections)
    span = 1 if stages >= CONFIG.correction_fine else SPAN
    for row, channel in zip(corrections, channels, strict=True):
        codes = (channel.corrections, channel.correction_counts)
        own = dequantize_corrections(*codes, BOOKS, MODEL.predictor.of(span))
        np.testing.assert_array_equal(row[:frames], own.repeat(span, axis=0)[:frames])
        np.testing.assert_array_equal(row[frames:], row[frames - 1 : frames].repeat(5, axis=0))
    assert np.abs(corrections).max() > 0.1


def test_a_packet_does_not_depend_on_the_corrections_before_it() -> None:
    decoders = [CorrectionDecoder(CONFIG, BOOKS, MODEL.predictor, 2) for _ in range(2)]
    decoders[0].start(coded(18, 4))
    decoders[0].take(18)
    for decoder in decoders:
        decoder.start(coded(8, 1))
    np.testing.assert_array_equal(decoders[0].take(8), decoders[1].take(8))


def test_an_encoder_corrects_wrong_predictions() -> None:
    """Low bands are predicted to be louder, which would make them too loud."""
    pcm = (0.2 * np.sin(np.arange(48_000) * 0.04)).astype(np.float32)
    louder = np.where(np.arange(BANDS) < 4, 0.6, 0).astype(np.float32)[None].repeat(2, axis=0)
    none = np.zeros((2, BANDS, BANDS), np.float32)
    model = make_model()
    model.predictor = CorrectionPredictor(louder, none)
    data, errors = encode(pcm, 24_000, quality=3, model=model), []
    for prediction in (model.predictor, CorrectionPredictor.none()):
        model.predictor = prediction
        decoded = decode(data, model=model)[0][:, 0]
        powers = [np.square(x).reshape(-1, 1200).mean(1) for x in (pcm, decoded)]
        errors.append(np.abs(np.log(powers[0] / powers[1])).mean())
    assert errors[0] < 0.7 * errors[1]


def test_the_fitted_prediction_is_the_one_that_made_the_corrections() -> None:
    torch.manual_seed(0)
    mean, weights = 0.3 * torch.randn(BANDS), 0.1 * torch.randn(BANDS, BANDS)
    before = torch.randn(40, 25, BANDS)
    targets = mean + (before - mean) @ weights
    audible = torch.rand(40, 25) < 0.8
    targets[~audible] = 9  # these spans have no weight
    lambdas = torch.ones(40, 25)
    targets[:5], lambdas[:5] = 3, 1e20  # and these have little
    fitted = fit_prediction(CorrectionClips(1, targets, lambdas, audible), before)
    torch.testing.assert_close(fitted.mean, mean, atol=1e-3, rtol=0)
    torch.testing.assert_close(fitted.weights, weights, atol=1e-3, rtol=0)
    torch.testing.assert_close(
        fitted.shifted(targets), torch.cat([fitted.mean.expand(40, 1, -1), targets[:, :-1]], 1)
    )


def test_the_rows_of_a_trained_prediction_are_by_the_length_of_spans() -> None:
    torch.manual_seed(0)
    clips = [
        CorrectionClips(
            span, torch.full((9, 8, BANDS), level), torch.ones(9, 8), torch.ones(9, 8).bool()
        )
        for span, level in ((SPAN, 0.5), (1, 0.25))
    ]
    trainer = CorrectionTrainer(CorrectionQuantizer(2, 4, BANDS), clips)
    predictor = CorrectionPredictor(*trainer.tensors())
    for span, level in ((1, 0.25), (SPAN, 0.5)):
        np.testing.assert_allclose(predictor.of(span).mean, level, atol=0.01)


def test_a_better_prediction_takes_fewer_bits() -> None:
    """Corrections that decay need no codes where the prediction knows it."""
    targets = np.float32(0.9) ** np.arange(30)[:, None] * BOOKS.vectors[0, -1]
    bits = []
    for share in (0.0, 0.9):
        weights = np.full(30, 0.01, np.float32)
        asked = CorrectionTargets(targets.astype(np.float32), weights, decaying(share))
        codes = quantize_corrections(asked, BOOKS, MODEL.entropy.corrections)
        bits.append(MODEL.entropy.corrections.bits(*codes))
    assert bits[1] < 0.5 * bits[0]


def test_training_adds_corrections_to_a_checkpoint_or_replaces_them(tmp_path: Path) -> None:
    options = ["--clips", "40", "--rounds", "2", "--packets", "3"]
    shipped, made = retrain(train_corrections.main, tmp_path, options)
    before, after = load_checkpoint(shipped), load_checkpoint(made)
    assert before.codebooks.corrections is None and after.config.correction_stages == 3
    assert after.tensors["corrections.weights"].any((1, 2)).all()
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[name], tensor)
    assert after.tensors["corrections.entries"].any((1, 2)).all()
    pcm = np.random.default_rng(0).normal(size=24_000).astype(np.float32) * 0.1
    assert len(decode(encode(pcm, 24_000, model=after), model=after)[0]) == 24_000
    retrain(train_corrections.main, tmp_path, [*options, "--stages", "2"], made)
    assert len(load_checkpoint(made).tensors["corrections.entries"]) == 2
