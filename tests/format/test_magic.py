"""docs/nacli.magic: file(1) knows .nac files, their version, sample rate and channels."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nacli.format import (
    ChannelMode,
    Header,
    SampleFormat,
    StreamInfo,
    TableSection,
    pack_header,
)

ROOT = Path(__file__).parents[2]
STREAM = StreamInfo(24_000, 1, ChannelMode.MONO, SampleFormat.PCM_16, None, 320, 150, 16)
HEADER = Header(STREAM, bytes(8), TableSection(b"codebook"), TableSection(b"entropy."))
RATES = (8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)

pytestmark = pytest.mark.skipif(shutil.which("file") is None, reason="file(1) is not installed")


def describe(*arguments: str | Path) -> list[str]:
    """What file(1) says of each file, by our lines alone."""
    command = ["file", "-b", "-m", str(ROOT / "docs" / "nacli.magic"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_usual_rates_and_channels_are_named(tmp_path: Path) -> None:
    paths, expected = [], []
    for rate in (*RATES, 12_345):
        for channels, words in ((1, "mono"), (2, "stereo"), (6, "6 channels")):
            mode = (ChannelMode.MONO, ChannelMode.ROTATED, ChannelMode.INDEPENDENT)[
                min(channels, 3) - 1
            ]
            stream = replace(STREAM, sample_rate=rate, channels=channels, channel_mode=mode)
            path = tmp_path / f"{rate}-{channels}.nac"
            path.write_bytes(pack_header(replace(HEADER, stream=stream)))
            paths.append(path)
            known = f" {rate} Hz," if rate in RATES else ""
            expected.append(f"nacli compressed audio, version 5,{known} {words}")
    assert describe(*paths) == expected


def test_the_mime_type_is_that_of_audio() -> None:
    assert describe("--mime-type", ROOT / "tests" / "golden" / "talk-6.nac") == ["audio/x-nac"]


def test_other_files_are_not_taken_for_ours() -> None:
    data = ROOT / "tests" / "golden" / "bad-not-nac.nac", ROOT / "tests" / "data" / "talk.flac"
    assert describe(*data) == ["data", "data"]
