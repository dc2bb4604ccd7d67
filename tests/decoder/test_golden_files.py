"""Files of earlier versions decode to the same sound, and damaged ones fail with the same error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacli
from nacli import errors

FOLDER = Path(__file__).parents[1] / "golden"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())
GOOD = [name for name, facts in EXPECTED.items() if "shape" in facts]
BAD = [name for name, facts in EXPECTED.items() if "error" in facts]


def loudness(pcm: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """In dB, of `count` blocks of 0.1 s."""
    blocks = np.pad(pcm, ((0, count * 2400 - len(pcm)), (0, 0))).reshape(count, 2400 * pcm.shape[1])
    power = np.square(blocks.astype(np.float64)).mean(1)
    return 10 * np.log10(np.maximum(power, 1e-10))


def test_every_file_is_described() -> None:
    assert {path.stem for path in FOLDER.glob("*.nac")} == set(EXPECTED)


@pytest.mark.parametrize("name", GOOD)
def test_good_files_decode_to_the_same_codes_and_sound(name: str) -> None:
    """The decoder itself compares the codes with the check value of the end record."""
    pcm, rate = nacli.decode((FOLDER / f"{name}.nac").read_bytes())
    facts = EXPECTED[name]
    assert (rate, list(pcm.shape)) == (facts["rate"], facts["shape"])
    if facts["levels"]:
        np.testing.assert_allclose(loudness(pcm, len(facts["levels"])), facts["levels"], atol=0.1)


@pytest.mark.parametrize(("start", "stop"), [(0, 3001), (17_777, 17_779), (20_000, 40_000)])
def test_a_section_equals_that_section_of_the_whole(start: int, stop: int) -> None:
    """With the shipped networks and all filters after them."""
    data = (FOLDER / "talk-6.nac").read_bytes()
    whole, _ = nacli.decode(data)
    part, _ = nacli.decode(data, start=f"{start}smp", stop=f"{stop}smp")
    np.testing.assert_allclose(part, whole[start:stop], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", BAD)
def test_bad_files_fail_with_their_own_error(name: str) -> None:
    with pytest.raises(getattr(errors, EXPECTED[name]["error"])):
        nacli.decode((FOLDER / f"{name}.nac").read_bytes())
