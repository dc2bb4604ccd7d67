"""Fixtures of the tests of trainings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from training_run import make_run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """A folder with a corpus of noise and the first state of a joint training."""
    make_run(tmp_path)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)
