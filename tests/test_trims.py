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
from nacli.allocate import trim_counts
from nacli.entropy import StaticTables, TrimTables, frequencies
from nacli.errors import DamagedHeader
from nacli.format import pack_header
from nacli.levels import BANDS
from nacli.quantize import Codebooks
from nacli.trims import dequantize_trims, quantize_trims
from test_codec import header_of

MODEL = make_model()
BOOKS = Codebooks.from_vectors(
    np.random.default_rng(0).normal(size=(3, 64, 5)).astype(np.float32)
    * np.array([1, 0.5, 0.25], np.float32)[:, None, None]
)


def test_a_span_has_a_code_for_each_start_that_what_it_trims_reaches() -> None:
    """Starts are 1 and 3, and trims are for what is two frames older."""
    counts = np.array([0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 3, 3, 4, 3, 4], np.int32)
    assert trim_counts(counts, CONFIG).tolist() == [0, 0, 1, 2, 2]
    assert trim_counts(np.array([3, 0], np.int32), CONFIG).tolist() == [2], (
        "before it, none is known"
    )
    assert trim_counts(np.array([1] + 7 * [0], np.int32), CONFIG).tolist() == [1, 0]
    assert trim_counts(counts[:0], CONFIG).tolist() == []


def test_more_codes_come_nearer_to_what_is_wanted() -> None:
    steps = 0.3 * np.random.default_rng(1).normal(size=(50, 5))
    wanted = steps.cumsum(0).astype(np.float32)
    errors = []
    for stages in range(4):
        counts = np.full(50, stages, np.int32)
        codes = quantize_trims(wanted, counts, BOOKS, 0.8)
        assert (codes[:, stages:] == 0).all()
        errors.append(float(np.square(dequantize_trims(codes, counts, BOOKS, 0.8) - wanted).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < errors[0] / 10


def test_a_span_without_codes_keeps_a_part_of_the_trim_before() -> None:
    counts = np.array([1, 0, 0, 2], np.int32)
    codes = np.array([[5, 0, 0], [0, 0, 0], [0, 0, 0], [7, 9, 0]], np.int32)
    trims = dequantize_trims(codes, counts, BOOKS, 0.5)
    np.testing.assert_allclose(trims[0], BOOKS.vectors[0, 5])
    np.testing.assert_allclose(trims[2], BOOKS.vectors[0, 5] / 4)
    last = BOOKS.vectors[0, 5] / 8 + BOOKS.vectors[0, 7] + BOOKS.vectors[1, 9]
    np.testing.assert_allclose(trims[3], last, rtol=1e-6)


def tables(seed: int) -> TrimTables:
    random = np.random.default_rng(seed)
    return TrimTables(frequencies(1 + random.integers(0, 99, (6, 64))))


def test_codes_come_back_and_take_the_bits_that_were_said() -> None:
    random, model = np.random.default_rng(2), tables(0)
    counts = random.integers(0, 4, 400).astype(np.int32)
    trims = np.where(np.arange(3) < counts[:, None], random.integers(0, 64, (400, 3)), 0)
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, trims.astype(np.int32), counts)
    assert coder.num_bits() == pytest.approx(model.bits(trims, counts), abs=64)
    np.testing.assert_array_equal(model.pop(coder, counts), trims)
    assert model.mean_bits()[3] == pytest.approx(3 * 5.8, abs=1)


def test_each_number_of_codes_has_rows_of_its_own() -> None:
    weights = np.ones((3, 4), np.int64)
    weights[1, 2], weights[2, 3] = 1000, 1000  # of two codes the first is 2, the second 3
    model = TrimTables(frequencies(weights))
    bits = [model.bits(np.array([[2, 3]]), np.array([count], np.int32)) for count in (0, 1, 2)]
    assert bits == pytest.approx([0, 2, 0], abs=0.1)
    assert model.mean_bits() == pytest.approx([0, 2, 0], abs=0.1)


def test_tables_survive_storage_and_broken_ones_are_refused() -> None:
    blob = tables(1).to_bytes()
    again = TrimTables.from_bytes(blob)
    assert again.to_bytes() == blob and again.stages == 3 and again.size == 64
    for broken in (blob[:3], blob[:-1], blob + b"\0", b"\xff" * 4 + blob[4:]):
        with pytest.raises(ValueError, match="trim tables"):
            TrimTables.from_bytes(broken)
    with pytest.raises(ValueError, match="lacks rows"):
        TrimTables(again.table[:5])
    nothing = TrimTables.from_bytes(TrimTables.none().to_bytes())
    assert nothing.stages == 0 and nothing.mean_bits().tolist() == [0]


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
    model.config = replace(CONFIG, trim_starts=CONFIG.trim_starts if books else ())
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
