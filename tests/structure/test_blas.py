"""BLAS runs on one thread while the codec computes, whatever the process has set."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from commands import ENVIRONMENT
from nacli.blas import one_thread

RECORDING = """
import hashlib, numpy, nacli
pcm = 0.3 * numpy.sin(0.05 * numpy.arange(48_000) ** 1.1).astype("f")
data = nacli.encode(pcm, 24_000)
print(hashlib.sha256(data + nacli.decode(data)[0].tobytes()).hexdigest())
"""


def blas_threads() -> list[int]:
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    np.dot(np.ones(2), np.ones(2))


def test_the_limit_ends_with_the_last_block_inside(two_threads: None) -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        outer, inner = one_thread(), one_thread()
        outer.__enter__()
        inner.__enter__()
        assert set(blas_threads()) == {1}
        outer.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        inner.__exit__(None, None, None)
        assert blas_threads() == before


def test_bytes_and_samples_do_not_depend_on_the_threads_of_the_process() -> None:
    results = {
        subprocess.run(
            [sys.executable, "-c", RECORDING],
            env={**ENVIRONMENT, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in "12"
    }
    assert len(results) == 1
