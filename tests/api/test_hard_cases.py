"""Hard cases with the shipped model: a few short ones of scripts/robust.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import robust
from hard_cases import Case, cases, recordings
from nacli.api import decode, encode
from nacli.config import CODED_RATE

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def hard() -> dict[str, Case]:
    return {case.name: case for case in cases(*recordings(DATA, 2.0))}


def test_silence_stays_silent(hard: dict[str, Case]) -> None:
    for name in ("speech with silent gaps", "speech between silences", "impulses in silence"):
        row, _ = robust.measure(hard[name], 3)
        assert row["inside"] == "none", name
        assert row["before"] == "none" or float(row["before"]) < -12


def test_the_high_band_keeps_its_level_and_silence(hard: dict[str, Case]) -> None:
    case = hard["hiss with silent gaps at 48000 Hz"]
    row, decoded = robust.measure(case, 3)
    assert row["inside"] == "none" or float(row["inside"]) < -40  # noise lasts 7 ms longer
    spectra = [np.abs(np.fft.rfft(pcm[:, 0])) ** 2 for pcm in (case.pcm, decoded)]
    high = slice(len(spectra[0]) * 12 // 24, len(spectra[0]) * 22 // 24)
    levels = [10 * np.log10(spectrum[high].mean()) for spectrum in spectra]
    assert abs(levels[1] - levels[0]) < 2


def test_an_offset_does_not_harm_speech(hard: dict[str, Case]) -> None:
    plain, moved = (
        float(robust.measure(hard[name], 6)[0]["mel"])
        for name in ("speech", "speech, DC offset 0.1")
    )
    assert moved < 1.3 * plain  # of half the amplitude


def test_a_tone_has_no_clicks_at_the_edges_of_packets(hard: dict[str, Case]) -> None:
    row, decoded = robust.measure(hard["tone of 100 Hz"], 6)
    assert float(row["edge"].split()[0]) < 4  # other positions vary by as much
    assert float(row["tone"]) > 14
    clicked = decoded[:, 0].astype(np.float64)
    clicked[74 * 320] += 0.05  # the figure would show one
    original = hard["tone of 100 Hz"].pcm[:, 0].astype(np.float64)
    assert max(robust.roughness(original, clicked, CODED_RATE, 0.0)) > 6


def test_equal_channels_stay_equal(hard: dict[str, Case]) -> None:
    case = hard["stereo, equal channels"]
    left, right = decode(encode(case.pcm, case.rate, bitrate=3))[0].T
    assert left.any()
    np.testing.assert_array_equal(left, right)


def test_the_table_and_the_sounds_are_written(tmp_path: Path) -> None:
    options = f"--clips {DATA} --seconds 1 --case equal --bitrate 3 --out {tmp_path}"
    done = CliRunner().invoke(robust.main, options.split(), catch_exceptions=False)
    lines = done.output.strip().splitlines()
    assert len(lines) == 3 and len({line.count("|") for line in lines}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "stereo--equal-channels.3.wav",
        "stereo--equal-channels.original.wav",
    ]


def test_a_sheet_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    import sheets

    folder = tmp_path / "clips" / "speech"
    folder.mkdir(parents=True)
    pcm, rate = soundfile.read(DATA / "talk.flac")
    soundfile.write(folder / "talk.wav", pcm[:rate], rate)
    options = f"--clips {folder.parent} --bitrate 3,6 --out {tmp_path / 'out'}"
    done = CliRunner().invoke(sheets.main, options.split(), catch_exceptions=False)
    assert done.output.count("| speech |") == 2
    assert (tmp_path / "out" / "speech-talk.png").read_bytes().startswith(b"\x89PNG")
