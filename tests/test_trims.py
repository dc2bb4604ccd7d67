"""Trims: codes that follow what is wanted, payloads that hold them, what decoding makes of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import constriction
import numpy as np
import pytest

from fake_model import CONFIG, make_model
from nacli import Decoder, decode, encode
from nacli.entropy import StaticTables, TrimTables, frequencies
from nacli.errors import DamagedHeader
from nacli.format import pack_header
from nacli.levels import BANDS
from nacli.prediction import Expect, Fading
from nacli.quantize import Codebooks
from nacli.trims import (
    HALVING,
    PRICE,
    Wanted,
    dequantize_trims,
    prices,
    quantize_trims,
    span_frames,
    span_stages,
)
from test_codec import header_of

MODEL = make_model()
BOOKS = Codebooks.from_vectors(
    np.random.default_rng(0).normal(size=(3, 64, 5)).astype(np.float32)
    * np.array([1, 0.5, 0.25], np.float32)[:, None, None]
)


def fading(memory: float) -> Expect:
    """Of a part of the trim before, whatever the levels are."""
    return Fading(memory).of(np.zeros((0, 0), np.float32), np.zeros(0, np.int32), 1)


def tables(seed: int) -> TrimTables:
    random = np.random.default_rng(seed)
    sizes = ((16, 4), (6, 64))
    return TrimTables(*(frequencies(1 + random.integers(0, 99, size)) for size in sizes))


def test_packets_with_many_stages_have_spans_of_one_frame() -> None:
    few = np.array([0, 1, CONFIG.trim_fine - 1], np.int32)
    assert span_frames(few, CONFIG) == CONFIG.trim_frames > 1
    assert span_frames(few + 1, CONFIG) == 1
    assert span_frames(few[:0], CONFIG) == CONFIG.trim_frames


def test_bits_are_worth_less_where_what_is_trimmed_has_more_stages() -> None:
    counts = np.array([0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 3, 3, 4, 3, 4], np.int32)
    stages = span_stages(counts, span=4, late=2)
    assert stages.tolist() == [0, 0, 2, 3, 4]  # the most of the frames that are two older
    expected = [PRICE * 0.5 ** (n / HALVING) for n in (0, 0, 2, 3, 4)]
    np.testing.assert_allclose(prices(stages), expected, rtol=1e-6)
    first = span_stages(np.array([3, 0], np.int32), span=4, late=2)
    assert first.tolist() == [3]  # before it, none is known
    assert len(span_stages(counts[:0], 4, 2)) == 0


def steps() -> np.ndarray:
    return (0.3 * np.random.default_rng(1).normal(size=(50, 5))).cumsum(0).astype(np.float32)


def test_cheaper_bits_come_nearer_to_what_is_wanted() -> None:
    wanted, model = steps(), tables(0)
    errors, bits = [], []
    for bit in (10.0, 0.3, 0.03, 0.0):
        asked = Wanted(wanted, np.full(50, bit, np.float32), fading(0.8))
        codes, counts = quantize_trims(asked, BOOKS, model)
        assert all((row[count:] == 0).all() for row, count in zip(codes, counts, strict=True))
        made = dequantize_trims(codes, counts, BOOKS, fading(0.8))
        errors.append(float(np.square(made - wanted).mean()))
        bits.append(model.bits(codes, counts))
    assert errors == sorted(errors, reverse=True) and bits == sorted(bits)
    assert errors[3] < errors[0] / 10 and (counts == 3).mean() > 0.9


def test_codes_go_where_levels_are_wrong() -> None:
    wanted = np.zeros((40, 5), np.float32)
    wanted[20] = BOOKS.vectors[0, 7]
    asked = Wanted(wanted, np.full(40, 0.05, np.float32), fading(0.0))
    _, counts = quantize_trims(asked, BOOKS, tables(0))
    assert counts[20] and counts.sum() == counts[20]


def test_a_span_without_codes_keeps_a_part_of_the_trim_before() -> None:
    counts = np.array([1, 0, 0, 2], np.int32)
    codes = np.array([[5, 0, 0], [0, 0, 0], [0, 0, 0], [7, 9, 0]], np.int32)
    trims = dequantize_trims(codes, counts, BOOKS, fading(0.5))
    np.testing.assert_allclose(trims[0], BOOKS.vectors[0, 5])
    np.testing.assert_allclose(trims[2], BOOKS.vectors[0, 5] / 4)
    last = BOOKS.vectors[0, 5] / 8 + BOOKS.vectors[0, 7] + BOOKS.vectors[1, 9]
    np.testing.assert_allclose(trims[3], last, rtol=1e-6)


def test_codes_come_back_and_take_the_bits_that_were_said() -> None:
    random, model = np.random.default_rng(2), tables(0)
    counts = random.integers(0, 4, 400).astype(np.int32)
    trims = np.where(np.arange(3) < counts[:, None], random.integers(0, 64, (400, 3)), 0)
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, trims.astype(np.int32), counts)
    assert coder.num_bits() == pytest.approx(model.bits(trims, counts), abs=64)
    found = model.pop(coder, 400)
    np.testing.assert_array_equal(found[0], trims)
    np.testing.assert_array_equal(found[1], counts)


def test_each_number_of_codes_has_rows_of_its_own() -> None:
    weights = np.ones((3, 4), np.int64)
    weights[1, 2], weights[2, 3] = 1000, 1000  # of two codes the first is 2, the second 3
    numbers = np.ones((9, 3), np.int64)
    numbers[0, 2] = 1000  # at the start of a packet two are likely
    model = TrimTables(frequencies(numbers), frequencies(weights))
    bits = [model.bits(np.array([[2, 3]]), np.array([count], np.int32)) for count in (0, 1, 2)]
    assert bits == pytest.approx([10, 12, 0], abs=0.1)
    for before, wanted in (((0, 0), [10, 12, 0]), ((0, 1), [1.6, 3.6, 1.6])):
        bits = [
            number + model.codes_bits([2, 3][:count])
            for count, number in enumerate(model.number_bits(before))
        ]
        assert bits == pytest.approx(wanted, abs=0.1)


def test_tables_survive_storage_and_broken_ones_are_refused() -> None:
    blob = tables(1).to_bytes()
    again = TrimTables.from_bytes(blob)
    assert again.to_bytes() == blob and again.stages == 3 and again.size == 64
    for broken in (blob[:3], blob[:-1], blob + b"\0", b"\xff" * 4 + blob[4:]):
        with pytest.raises(ValueError, match="trim tables"):
            TrimTables.from_bytes(broken)
    with pytest.raises(ValueError, match="lack rows"):
        TrimTables(again.numbers, again.table[:5])
    nothing = TrimTables.from_bytes(TrimTables.none().to_bytes())
    assert nothing.stages == 0 and nothing.pop(None, 3)[0].shape == (3, 0)


def sound() -> np.ndarray:
    """Two seconds of a low tone, whose level changes."""
    time = np.arange(48_000) / 24_000
    return (0.3 * (1.2 + np.sin(20 * time)) * np.sin(900 * time)).astype(np.float32)


def test_what_is_decoded_has_the_level_of_the_original_with_trims_and_not_without() -> None:
    """The fake model's trims make up for the energy of low bands, all alike."""
    pcm, errors = sound(), []
    for books in (MODEL.codebooks.trims, None):
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


def trimmed(books: Codebooks | None, model_tables: TrimTables) -> bytes:
    """A file with tables of its own, of which those of trims are these."""
    model: Any = SimpleNamespace(**vars(MODEL))
    entries, scales = MODEL.codebooks.entries, MODEL.codebooks.scales
    model.codebooks = Codebooks(entries, scales, books)
    tables = MODEL.tables
    model.entropy = StaticTables(tables.gain_table, tables.code_table, model_tables)
    model.config = replace(CONFIG, trim_stages=CONFIG.trim_stages if books else 0)
    return encode(sound()[:2000], 24_000, model=model, embed=True)


def test_tables_of_trims_that_do_not_fit_the_model_are_refused() -> None:
    books, tables = MODEL.codebooks.trims, MODEL.entropy.trims
    assert len(decode(trimmed(books, tables), model=MODEL)[0]) == 2000
    with pytest.raises(DamagedHeader, match="codebooks of trims"):
        decode(trimmed(None, TrimTables.none()), model=MODEL)
    narrow = Codebooks(books.entries[:, :, :-1], books.scales)
    header = header_of(trimmed(books, tables))
    blob = Codebooks(MODEL.codebooks.entries, MODEL.codebooks.scales, narrow).to_bytes()
    digest = hashlib.sha256(blob).digest()[:8]
    section = replace(header.codebooks, digest=digest, inline=blob)
    with pytest.raises(DamagedHeader, match="bands"):
        Decoder(MODEL).decode(pack_header(replace(header, codebooks=section)))
