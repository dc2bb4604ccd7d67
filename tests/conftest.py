"""Fixtures that several test modules share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import in_process
from commands import nacli
from fake_model import make_model
from nacli import api as codec
from nacli import checkpoint
from nacli.jobs import resources

__all__ = ["nacli"]  # a fixture

# What is ignored here (SIGHUP under nohup, SIGINT in the background of a shell) would be ignored in
# every command that the tests start, and send it to.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("nacli", deadline=None)  # a busy machine is no failure
settings.load_profile("nacli")


@pytest.fixture(scope="session")
def model() -> Any:
    """The torch-free fake model."""
    return make_model()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any) -> Iterator[Path]:
    """An empty working folder, and the fake model."""
    monkeypatch.chdir(tmp_path)
    for module in (codec, checkpoint):
        monkeypatch.setattr(module, "load_model", lambda *_, **__: model)
    resources.load_model.cache_clear()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield tmp_path
    resources.load_model.cache_clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def options(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options of every conversion, which is not done; there are an a.wav and an a.nac."""
    in_process.write("a.wav")
    in_process.nacli("encode", "a.wav")
    seen: list[Any] = []
    monkeypatch.setattr("nacli.cli.conversion.run_jobs", lambda _, made, how: seen.append(made))
    return seen
