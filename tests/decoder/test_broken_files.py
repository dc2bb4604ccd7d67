"""Broken files: sound or a clear error, whatever they hold. `make fuzz` does this for an hour."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import fuzz


def test_broken_files_give_sound_or_an_error(tmp_path: Path) -> None:
    ends = Counter(end for end, _ in fuzz.fuzz(0, 1500, 60, tmp_path))
    assert not ends["FAILED"]
    assert {"concealed", "DamagedHeader", "WrongModel"} <= set(ends)
