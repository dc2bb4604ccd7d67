"""Fixtures that several test modules share."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from hypothesis import settings

from fake_model import make_model

# Run by nohup, SIGHUP is ignored here and in every command that tests start, and send it to.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile("nacli", deadline=None)  # a busy machine is no failure
settings.load_profile("nacli")


@pytest.fixture(scope="session")
def model() -> Any:
    """The torch-free fake model."""
    return make_model()
