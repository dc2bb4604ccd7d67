"""Envelope corrections: codes near their targets, payloads that hold them, and their decoding."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import constriction
import numpy as np
import pytest

from corrections import decaying, quantize_corrections
from fake_model import CONFIG, make_model
from nacli import decode, encode
from nacli.dsp.filterbank import BANDS
from nacli.entropy import CorrectionTables, frequencies
from nacli.envelope.corrections import (
    BASE_LAMBDA,
    HALVING_STAGES,
    CorrectionTargets,
    correction_lambdas,
    dequantize_corrections,
    span_frames,
    span_stages,
)
from nacli.quantizer.rvq import Codebooks

MODEL = make_model()
BOOKS = Codebooks.from_vectors(
    np.random.default_rng(0).normal(size=(3, 64, 5)).astype(np.float32)
    * np.array([1, 0.5, 0.25], np.float32)[:, None, None]
)


def tables(seed: int) -> CorrectionTables:
    random = np.random.default_rng(seed)
    sizes = ((16, 4), (6, 64))
    return CorrectionTables(*(frequencies(1 + random.integers(0, 99, size)) for size in sizes))


def test_packets_with_many_stages_have_spans_of_one_frame() -> None:
    few = np.array([0, 1, CONFIG.correction_fine - 1], np.int32)
    assert span_frames(few, CONFIG) == CONFIG.correction_frames > 1
    assert span_frames(few + 1, CONFIG) == 1
    assert span_frames(few[:0], CONFIG) == CONFIG.correction_frames


def test_lambda_falls_with_the_stages_of_the_corrected_frames() -> None:
    counts = np.array([0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 3, 3, 4, 3, 4], np.int32)
    stages = span_stages(counts, span=4, delay=2)
    assert stages.tolist() == [0, 0, 2, 3, 4]  # the largest of the frames that are two older
    expected = [BASE_LAMBDA * 0.5 ** (n / HALVING_STAGES) for n in (0, 0, 2, 3, 4)]
    np.testing.assert_allclose(correction_lambdas(stages), expected, rtol=1e-6)
    first = span_stages(np.array([3, 0], np.int32), span=4, delay=2)
    assert first.tolist() == [3]  # earlier frames are not known
    assert len(span_stages(counts[:0], 4, 2)) == 0


def steps() -> np.ndarray:
    return (0.3 * np.random.default_rng(1).normal(size=(50, 5))).cumsum(0).astype(np.float32)


def test_a_smaller_lambda_takes_more_bits_and_comes_nearer_to_the_target() -> None:
    target, model = steps(), tables(0)
    errors, bits = [], []
    for weight in (10.0, 0.3, 0.03, 0.0):
        targets = CorrectionTargets(target, np.full(50, weight, np.float32), decaying(0.8, 5))
        codes, counts = quantize_corrections(targets, BOOKS, model)
        assert all((row[count:] == 0).all() for row, count in zip(codes, counts, strict=True))
        decoded = dequantize_corrections(codes, counts, BOOKS, decaying(0.8, 5))
        errors.append(float(np.square(decoded - target).mean()))
        bits.append(model.bits(codes, counts))
    assert errors == sorted(errors, reverse=True) and bits == sorted(bits)
    assert errors[3] < errors[0] / 10 and (counts == 3).mean() > 0.9


def test_only_spans_that_need_a_correction_get_codes() -> None:
    target = np.zeros((40, 5), np.float32)
    target[20] = BOOKS.vectors[0, 7]
    targets = CorrectionTargets(target, np.full(40, 0.05, np.float32), decaying(0.0, 5))
    _, counts = quantize_corrections(targets, BOOKS, tables(0))
    assert counts[20] and counts.sum() == counts[20]


def test_a_span_without_codes_keeps_a_share_of_the_correction_before() -> None:
    counts = np.array([1, 0, 0, 2], np.int32)
    codes = np.array([[5, 0, 0], [0, 0, 0], [0, 0, 0], [7, 9, 0]], np.int32)
    corrections = dequantize_corrections(codes, counts, BOOKS, decaying(0.5, 5))
    np.testing.assert_allclose(corrections[0], BOOKS.vectors[0, 5])
    np.testing.assert_allclose(corrections[2], BOOKS.vectors[0, 5] / 4)
    last = BOOKS.vectors[0, 5] / 8 + BOOKS.vectors[0, 7] + BOOKS.vectors[1, 9]
    np.testing.assert_allclose(corrections[3], last, rtol=1e-6)


def test_codes_are_decoded_and_take_the_predicted_bits() -> None:
    random, model = np.random.default_rng(2), tables(0)
    counts = random.integers(0, 4, 400).astype(np.int32)
    corrections = np.where(np.arange(3) < counts[:, None], random.integers(0, 64, (400, 3)), 0)
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, corrections.astype(np.int32), counts)
    assert coder.num_bits() == pytest.approx(model.bits(corrections, counts), abs=64)
    decoded = model.pop(coder, 400)
    np.testing.assert_array_equal(decoded[0], corrections)
    np.testing.assert_array_equal(decoded[1], counts)


def test_each_number_of_codes_has_its_own_probabilities() -> None:
    weights = np.ones((3, 4), np.int64)
    weights[1, 2], weights[2, 3] = 1000, 1000  # of two codes the first is 2, the second 3
    numbers = np.ones((9, 3), np.int64)
    numbers[0, 2] = 1000  # at the start of a packet two are likely
    model = CorrectionTables(frequencies(numbers), frequencies(weights))
    bits = [model.bits(np.array([[2, 3]]), np.array([count], np.int32)) for count in (0, 1, 2)]
    assert bits == pytest.approx([10, 12, 0], abs=0.1)
    first = np.zeros(1, np.intp)
    second = model.next_contexts(first, np.array([1]))
    span_bits = np.empty((1, 3))
    for context, expected in (
        (first, [10, 12, 0]),
        (model.next_contexts(second, first), [1.6, 3.6, 1.6]),
    ):
        model.span_bits(np.array([[2, 3]]), context, out=span_bits)
        assert span_bits[0] == pytest.approx(expected, abs=0.1)


def test_spans_take_the_fewest_bits_without_codes_and_the_most_with_all() -> None:
    model = tables(0)
    empty, codes = np.zeros(200, np.int32), np.zeros((200, 3), np.int32)
    least, most = model.extreme_bits()
    assert least == pytest.approx(model.bits(codes, empty) / 200, rel=0.05)
    probabilities = model.codes[3:] / (1 << 24)
    random = np.random.default_rng(0)
    drawn = [random.choice(64, 2000, p=row) for row in probabilities]
    bits = model.bits(np.stack(drawn, axis=1).astype(np.int32), np.full(2000, 3, np.int32))
    assert most == pytest.approx(bits / 2000, rel=0.02)
    assert CorrectionTables.none().extreme_bits() == (0, 0)


def test_broken_tables_are_refused() -> None:
    whole = tables(1)
    with pytest.raises(ValueError, match="lack rows"):
        CorrectionTables(whole.counts, whole.codes[:5])
    nothing = CorrectionTables.none()
    assert nothing.stages == 0 and nothing.pop(None, 3)[0].shape == (3, 0)


def sound() -> np.ndarray:
    """Two seconds of a low tone whose loudness changes."""
    time = np.arange(48_000) / 24_000
    return (0.3 * (1.2 + np.sin(20 * time)) * np.sin(900 * time)).astype(np.float32)


def test_corrections_restore_the_energy_of_the_original() -> None:
    """The fake model's corrections raise or lower the energies of all low bands alike."""
    pcm, errors = sound(), []
    for books in (MODEL.codebooks.corrections, None):
        model: Any = SimpleNamespace(**vars(MODEL))
        if books is None:
            silent = np.zeros((2, 16, BANDS), np.int8)
            silent_books = Codebooks(silent, np.ones(2, np.float32))
            model.codebooks = Codebooks(
                MODEL.codebooks.entries, MODEL.codebooks.scales, silent_books
            )
        decoded = decode(encode(pcm, 24_000, quality=3, model=model), model=model)[0][:, 0]
        powers = [np.square(x).reshape(-1, 1200).mean(1) for x in (pcm, decoded)]
        errors.append(np.abs(np.log(powers[0] / powers[1])).mean())
    assert errors[0] < 0.8 * errors[1]
