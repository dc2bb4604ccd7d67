"""Broken files give sound or a clear error. `make fuzz` tries this for an hour."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import fuzz


def test_broken_files_give_sound_or_an_error(tmp_path: Path) -> None:
    outcomes = Counter(outcome for outcome, _ in fuzz.fuzz(0, 1500, 60, tmp_path))
    assert not outcomes["FAILED"]
    assert {"concealed", "DamagedHeader", "WrongModel"} <= set(outcomes)
