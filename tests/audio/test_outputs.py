"""Audio files appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from audio_files import noise, read, write
from nacli.audio import AudioInfo, AudioWriter
from nacli.audio.containers import CONTAINERS, MAX_BYTES
from nacli.errors import OutputExists, WriteFailed
from nacli.files.outputs import Output


def test_existing_output_needs_force(tmp_path: Path) -> None:
    info = AudioInfo(48_000, 1, "PCM_16", 10)
    write(tmp_path / "x.wav", noise(10), info)
    with pytest.raises(OutputExists):
        write(tmp_path / "x.wav", noise(20), info)
    write(tmp_path / "x.wav", noise(20), info, force=True)
    assert read(tmp_path / "x.wav")[0].samples == 20


@pytest.mark.parametrize("extension", CONTAINERS)
def test_nothing_is_left_after_an_exception(tmp_path: Path, extension: str) -> None:
    info = AudioInfo(48_000, 1, "PCM_16", None)
    with pytest.raises(KeyboardInterrupt), AudioWriter(str(tmp_path / f"x{extension}"), info) as w:
        w.write(noise(10_000))
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("extension", CONTAINERS)
@pytest.mark.parametrize("room", [0, 1, 4])
def test_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, room: int
) -> None:
    written = Output.write
    calls = iter(range(1000))

    def full(output: Output, data: bytes) -> int:
        if next(calls) >= room:
            raise WriteFailed(f"{output.name}: No space left on device")
        return written(output, data)

    monkeypatch.setattr(Output, "write", full)
    with pytest.raises(WriteFailed, match="No space left"):
        write(tmp_path / f"x{extension}", noise(50_000), AudioInfo(48_000, 1, "PCM_16", None))
    assert os.listdir(tmp_path) == []


def test_full_standard_output() -> None:
    script = (
        "import numpy, sys; from nacli.audio import *; from nacli.errors import NacliError\n"
        "try:\n with AudioWriter('-', AudioInfo(48000, 1, 'PCM_16', None)) as writer: pass\n"
        "except NacliError as error: sys.exit(str(error))"
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE)
    assert done.stderr == b"standard output: No space left on device\n"


def test_files_over_4_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MAX_BYTES, "WAV", 1000)
    write(tmp_path / "known.wav", noise(501), AudioInfo(48_000, 1, "PCM_16", 501))
    assert soundfile.info(str(tmp_path / "known.wav")).format == "RF64"
    assert read(tmp_path / "known.wav")[0].samples == 501
    with pytest.raises(WriteFailed, match="4 GiB"):
        write(tmp_path / "live.wav", noise(501), AudioInfo(48_000, 1, "PCM_16", None))
