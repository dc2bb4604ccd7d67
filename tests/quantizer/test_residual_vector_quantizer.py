"""The quantiser: exact sums, a beam search that lowers the error, and the weighting of bits."""

from __future__ import annotations

import numpy as np
import pytest

from nacli.encoder.code_search import CodeSearch, select
from nacli.quantizer.rvq import Codebooks, dequantize


@pytest.fixture
def codebooks() -> Codebooks:
    random = np.random.default_rng(0)
    shrink = 0.7 ** np.arange(5)[:, None, None]
    return Codebooks.from_vectors((random.normal(size=(5, 32, 8)) * shrink).astype(np.float32))


def error(codebooks: Codebooks, latents: np.ndarray, beam: int, count: int) -> float:
    counts = np.full(len(latents), count, dtype=np.int32)
    codes = select(CodeSearch(codebooks, beam).search(latents, count).paths, counts)
    return float(np.square(latents - dequantize(codes, counts, codebooks)).mean())


def test_sums_of_codebook_vectors_come_back_exactly(codebooks: Codebooks) -> None:
    codes = np.array([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]], dtype=np.int32)
    counts = np.array([5, 2], dtype=np.int32)
    latents = dequantize(codes, counts, codebooks)
    expected = codebooks.vectors[0, 9] + codebooks.vectors[1, 2]
    np.testing.assert_array_equal(latents[1], expected)
    assert error(codebooks, latents[:1], beam=16, count=5) < 1e-9


def test_wider_search_and_more_stages_lower_the_error(codebooks: Codebooks) -> None:
    latents = np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32)
    greedy = [error(codebooks, latents, 1, count) for count in (1, 3, 5)]
    assert greedy[0] > greedy[1] > greedy[2]
    assert error(codebooks, latents, 8, 5) < error(codebooks, latents, 1, 5)


def test_greedy_search_takes_the_nearest_vector_of_every_stage(codebooks: Codebooks) -> None:
    residual = np.random.default_rng(2).normal(size=(50, 8)).astype(np.float32)
    path = CodeSearch(codebooks, beam=1).search(residual, 3).paths[2]
    for stage in range(3):
        distance = np.square(residual[:, None] - codebooks.vectors[stage]).sum(-1)
        np.testing.assert_array_equal(path[:, stage], distance.argmin(1))
        residual = residual - codebooks.vectors[stage][path[:, stage]]


def test_a_larger_weight_of_bits_takes_fewer_bits_and_leaves_more_error(
    codebooks: Codebooks,
) -> None:
    random, counts = np.random.default_rng(4), np.full(300, 3, np.int32)
    latents = random.normal(size=(300, 8)).astype(np.float32)
    bits = random.uniform(1, 12, (5, 32)).astype(np.float32)

    def measure(weight: float) -> tuple[float, float]:
        result = CodeSearch(codebooks, 4, weight * bits).search(latents, 3)
        codes = select(result.paths, counts)
        error = np.square(latents - dequantize(codes, counts, codebooks)).sum()
        assert result.errors[3].sum() == pytest.approx(error, rel=1e-4)  # without the cost of bits
        return float(bits[np.arange(3), codes[:, :3]].sum()), float(error)

    measured = [measure(weight) for weight in (0.0, 0.1, 1.0)]
    assert measured[0][0] > measured[1][0] > measured[2][0]
    assert measured[0][1] < measured[1][1] < measured[2][1]


def test_each_frame_gets_its_own_number_of_codes(codebooks: Codebooks) -> None:
    latents = np.random.default_rng(3).normal(size=(3, 8)).astype(np.float32)
    paths = CodeSearch(codebooks).search(latents, 4).paths
    codes = select(paths, np.array([0, 2, 4], dtype=np.int32))
    np.testing.assert_array_equal(codes[0], [0, 0, 0, 0])
    np.testing.assert_array_equal(codes[1], paths[1, 1])
    np.testing.assert_array_equal(codes[2], paths[3, 2])
