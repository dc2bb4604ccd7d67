"""Fixtures that several test modules share."""

from __future__ import annotations

from typing import Any

import pytest

from fake_model import make_model


@pytest.fixture(scope="session")
def model() -> Any:
    """The torch-free fake model."""
    return make_model()
