"""The gate: the committed baseline holds, and a decoder that got worse does not pass."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacli.bench.clips import read_clip
from nacli.bench.gate import (
    Change,
    compare,
    compare_golden,
    load_baseline,
    make_baseline,
    read_tolerances,
    save_baseline,
    summary,
)
from nacli.bench.measure import BenchPlan, run_clip
from nacli.bench.quality import BY_NAME
from nacli.bench.subject import Local
from nacli.checkpoint import Model, load_checkpoint
from nacli.dsp.filterbank import BANDS
from nacli.errors import OutputExists, UnreadableInput

DATA = Path(__file__).parents[1] / "data"
METRICS = tuple(BY_NAME[name] for name in ("mel", "stft", "si_sdr", "level"))
ANY_SPEED = read_tolerances("encoding=10000%,decoding=10000%")
"""The tests' machine may be busy with anything."""


def measure(model: Model) -> dict[str, Any]:
    """As `make baseline` measures."""
    clip = read_clip(DATA / "talk.flac", 3)
    versions = run_clip(clip, Local(model), BenchPlan([3.0], METRICS))
    return make_baseline([version.row for version in versions], {})


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_checkpoint()


@pytest.fixture(scope="module")
def now(shipped: Model) -> dict[str, Any]:
    return measure(shipped)


def failing(changes: list[Change]) -> set[str]:
    return {change.figure for change in changes if change.fails}


def test_the_shipped_model_is_as_good_as_the_baseline(now: dict[str, Any]) -> None:
    changes = compare(load_baseline(str(DATA / "baseline.json")), now, ANY_SPEED)
    assert not failing(changes), summary(changes)


def test_the_same_again_is_golden(shipped: Model, now: dict[str, Any]) -> None:
    again = measure(shipped)
    assert not compare_golden(now, again)
    assert not failing(compare(now, again, ANY_SPEED))


def test_a_damaged_decoder_fails(shipped: Model, now: dict[str, Any]) -> None:
    name = "filter.leave.bias"  # what comes before it, corrections would make up for
    lowered = shipped.tensors[name].copy()
    lowered[:BANDS] -= np.float16(0.1)  # the levels of bands
    damaged = Model(shipped.config, shipped.tensors | {name: lowered})
    after = measure(damaged)
    changes = compare(now, after, ANY_SPEED)
    assert failing(changes) & {"mel", "level"}
    assert "worse" in summary(changes)
    [line] = compare_golden(now, after)
    assert "bitstream" in line, "the model's digest is in the header; the codes are the same"


def row(**figures: float | None) -> dict[str, Any]:
    """A baseline of one row."""
    rows = [{"clip": "a", "group": "g", "asked": 3.0, "figures": figures}]
    hashes = {"bitstream": "b", "codes": "c"}
    return {"format": 1, "speed": {}, "rows": [rows[0] | hashes]}


@pytest.mark.parametrize(
    ("before", "after", "fails"),
    [
        ({"mel": 1.0}, {"mel": 1.02}, False),
        ({"mel": 1.0}, {"mel": 1.04}, True),
        ({"mel": 1.0}, {"mel": 0.5}, False),
        ({"pesq": 2.0}, {"pesq": 1.9}, True),
        ({"pesq": 2.0}, {"pesq": 2.5}, False),
        ({"pesq": 2.0}, {}, True),
        ({"pesq": 2.0}, {"pesq": None}, True),
        ({"pesq": None}, {"pesq": 2.0}, False),
        ({"kbps": 3.0}, {"kbps": 3.05}, False),
        ({"kbps": 3.0}, {"kbps": 3.1}, True),
    ],
)
def test_worse_is_what_moves_the_wrong_way(
    before: dict[str, float | None], after: dict[str, float | None], fails: bool
) -> None:
    changes = compare(row(**before), row(**after), read_tolerances("1"))
    assert bool(failing(changes)) == fails
    assert summary(changes)


def test_a_clip_that_is_gone_fails() -> None:
    gone = row(mel=1.0) | {"rows": []}
    [change] = compare(row(mel=1.0), gone, ANY_SPEED)
    assert change.worse == math.inf
    assert change.missing
    assert len(compare_golden(row(), gone)) == 2


def test_what_is_missing_is_named_and_in_no_mean() -> None:
    before = row(mel=1.0, pesq=2.0)
    before["rows"].append(before["rows"][0] | {"asked": 6.0})
    text = summary(compare(before, row(mel=1.5), ANY_SPEED))
    assert "nan" not in text
    assert "inf" not in text
    assert text.splitlines()[1].split() == [
        "mel",
        "1.0000",
        "1.5000",
        "+0.5000",
        "+0.5000",
        "0.0300",
    ]
    assert text.splitlines()[-2:] == [
        "missing  a at 3 kbps: this run has no pesq, which the baseline has",
        "missing  a at 6 kbps: this run has no mel, pesq, which the baseline has",
    ]


def test_tolerances_are_read() -> None:
    found = read_tolerances("2, mel=0.5, decoding=80%")
    assert found["mel"].allows(100) == 0.5
    assert found["decoding"].allows(10) == 8
    assert found["kbps"].allows(100) == 4


@pytest.mark.parametrize("text", ["x", "mel=", "nothing=1"])
def test_other_tolerances_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"figure|float"):
        read_tolerances(text)


def test_a_baseline_is_a_file(tmp_path: Path, now: dict[str, Any]) -> None:
    path = str(tmp_path / "b.json")
    save_baseline(path, now, force=False)
    assert load_baseline(path) == now
    with pytest.raises(OutputExists):
        save_baseline(path, now, force=False)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "rows": [{}]}'])
def test_other_files_are_no_baseline(text: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(UnreadableInput, match=r"b\.json"):
        load_baseline(str(path))
