"""Codes of the corpus: coded once, then read from the cache."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fake_model import CONFIG, make_model
from training.corpus.code_cache import CHUNK, CodedSegment, cached_codes, code_recording

MODEL = make_model()


def test_codes_come_from_the_cache_without_the_corpus(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pcm = (random.normal(size=40 * 24_000) * 3000).astype(np.int16)
    np.save(tmp_path / "noise.npy", pcm)
    row = {"name": "noise", "kind": "speech", "file": "noise.npy"}
    (tmp_path / "index.json").write_text(json.dumps([row]))
    first = cached_codes(CodedSegment, MODEL, tmp_path, tmp_path / "codes", 100)
    assert len(first) == CHUNK
    (tmp_path / "index.json").write_text("[]")
    again = cached_codes(CodedSegment, MODEL, tmp_path, tmp_path / "codes", 100)
    np.testing.assert_array_equal(again[0].paths, first[0].paths)
    packets = list(first[0].packets(random))
    assert [len(packet.gains) for packet in packets] == [75] * 8
    assert all((packet.codes[packet.counts == 0] == 0).all() for packet in packets)


def test_a_recording_is_coded_in_whole_hops() -> None:
    pcm = np.random.default_rng(1).normal(size=9700).astype(np.float32)
    segment = code_recording(MODEL, pcm)
    assert segment.paths.shape == (CONFIG.stages, 30, CONFIG.stages)
    assert segment.gains.shape == (30,)
