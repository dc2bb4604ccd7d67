"""Audio from and to pipes: WAV streams, other formats, and raw samples."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_files import STEP, TAGS, noise, read, read_pipe, standard_input, wav, write
from nacli.audio import AudioInfo, AudioReader
from nacli.audio.pcm import Pushback, encode_samples
from nacli.audio.wav_stream import WAV_FORMATS, read_header
from nacli.errors import UnreadableInput, UnsupportedAudio


@pytest.mark.parametrize("sample_format", WAV_FORMATS)
def test_pipe_equals_file(tmp_path: Path, sample_format: str) -> None:
    pcm = noise(2001, 3)
    write(tmp_path / "x.wav", pcm, AudioInfo(44_100, 3, sample_format, 2001, TAGS))
    file_info, from_file = read(tmp_path / "x.wav")
    pipe_info, from_pipe = read_pipe((tmp_path / "x.wav").read_bytes(), 100)
    assert np.array_equal(from_file, from_pipe)
    assert file_info == pipe_info


@pytest.mark.parametrize("sample_format", [*WAV_FORMATS, "ULAW"])
def test_written_pipe_is_a_file_that_libsndfile_reads(
    tmp_path: Path, sample_format: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    pcm = noise(1001)
    info = AudioInfo(44_100, 1, sample_format, 1001, TAGS)
    write(tmp_path / "file.wav", pcm, info)
    write("-", pcm, info)
    (tmp_path / "pipe.wav").write_bytes(capfdbinary.readouterr().out)
    file_info, from_file = read(tmp_path / "file.wav")
    pipe_info, from_pipe = read(tmp_path / "pipe.wav")
    assert (tmp_path / "pipe.wav").stat().st_size % 2 == 0
    if sample_format != "ULAW":
        assert np.array_equal(from_file, from_pipe)
        assert file_info == pipe_info


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_unknown_data_length_means_until_the_end(length: int) -> None:
    pcm = noise(1000, 2)
    data = bytearray(wav(pcm))
    data[40:44] = struct.pack("<I", length)
    info, result = read_pipe(bytes(data))
    assert info.samples is None
    assert np.abs(result - pcm).max() <= STEP["PCM_16"] / 2


def test_pipe_of_unknown_length_is_written_and_read() -> None:
    pcm = noise(500)
    for samples in (None, 2**33):
        info, result = read_pipe(wav(pcm, "FLOAT", samples=samples))
        assert info.samples is None
        assert np.array_equal(result, pcm)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def test_odd_chunks_before_and_after_the_samples() -> None:
    pcm = noise(101)
    plain = wav(pcm, "PCM_24")
    data = plain[:12] + chunk(b"JUNK", b"odd") + plain[12:36] + chunk(b"bext", bytes(200_001))
    data += chunk(b"LIST", b"adtl" + b"odd") + plain[36:] + b"\0" + chunk(b"LIST", b"INFOlate")
    info, result = read_pipe(data)
    dropped = ("WAV bext", "WAV LIST adtl")
    assert info == AudioInfo(48_000, 1, "PCM_24", 101, dropped=dropped)
    assert np.abs(result - pcm).max() <= STEP["PCM_24"] / 2


def test_extensible_and_rf64_pipes(tmp_path: Path) -> None:
    pcm = noise(1000, 6)
    for container in ("WAVEX", "RF64"):
        soundfile.write(tmp_path / container, pcm, 96_000, "PCM_24", format=container)
        info, result = read_pipe((tmp_path / container).read_bytes())
        mask = ("WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x003F",)  # which libsndfile takes for granted
        assert info == AudioInfo(96_000, 6, "PCM_24", 1000, mask)
        assert np.abs(result - pcm).max() <= STEP["PCM_24"]


@pytest.mark.parametrize(
    ("container", "subtype"), [("FLAC", None), ("WAV", "ALAW"), ("WAV", "IMA_ADPCM")]
)
def test_other_formats_in_a_pipe_are_spooled(
    tmp_path: Path, container: str, subtype: str | None
) -> None:
    soundfile.write(tmp_path / "x", noise(5050), 48_000, subtype, format=container)
    file_info, from_file = read(tmp_path / "x")
    pipe_info, from_pipe = read_pipe((tmp_path / "x").read_bytes())
    assert np.array_equal(from_file, from_pipe)
    assert file_info == pipe_info


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"no audio" * 99, wav(noise(9))[:30], wav(noise(9))[:38]]
)
def test_unreadable_pipe(data: bytes) -> None:
    with pytest.raises(UnreadableInput, match="standard input"):
        read_pipe(data)


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_header_breaks_the_parser(body: bytes) -> None:
    plain = wav(noise(9))
    source = Pushback(io.BytesIO(plain[:12] + body + plain[12:]))
    try:
        if read_header(source) is None:
            assert source.read(12) == plain[:12]
    except EOFError:
        pass


def test_empty_wav_pipe_has_known_length() -> None:
    info, pcm = read_pipe(wav(noise(0)))
    assert (info.samples, len(pcm)) == (0, 0)


@pytest.mark.parametrize("sample_format", ["PCM_S8", "PCM_16", "PCM_24", "FLOAT"])
def test_raw_samples(tmp_path: Path, sample_format: str) -> None:
    pcm = noise(1000, 2)
    info = AudioInfo(16_000, 2, sample_format, None)
    (tmp_path / "x").write_bytes(encode_samples(pcm, sample_format) + b"?")
    from_file, result = read(tmp_path / "x", raw=info)
    with standard_input((tmp_path / "x").read_bytes()):
        from_pipe, piped = read("-", raw=info)
    assert (from_file, from_pipe) == (replace(info, samples=1000), info)
    assert np.array_equal(result, piped)
    assert np.abs(result - pcm).max() <= STEP.get(sample_format, 0)
    with pytest.raises(UnsupportedAudio, match="raw ULAW"):
        AudioReader(str(tmp_path / "x"), raw=replace(info, sample_format="ULAW"))


LIVE = """
from nacli.audio import (AudioReader, AudioWriter)
with AudioReader("-") as reader, AudioWriter("-", reader.info) as writer:
    for pcm in reader.blocks(100):
        writer.write(pcm)
"""


def test_live_pipe_gives_samples_before_its_end() -> None:
    pcm = noise(300)
    data = wav(pcm, samples=None)
    with subprocess.Popen(
        [sys.executable, "-c", LIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as live:
        assert live.stdin and live.stdout
        received = b""
        for start in range(0, len(data) - 200, 37):
            live.stdin.write(data[start : min(start + 37, len(data) - 200)])
            live.stdin.flush()
        received = live.stdout.read(44 + 400)
        live.stdin.write(data[-200:])
        live.stdin.close()
        assert received + live.stdout.read() == data


def test_named_pipe_is_read_as_a_stream(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    data = wav(noise(100))
    script = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    command = [sys.executable, "-S", "-c", script, str(tmp_path / "pipe")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as sender:
        assert sender.stdin
        sender.stdin.write(data)
        sender.stdin.close()
        info, pcm = read(tmp_path / "pipe")
    assert info.samples == len(pcm) == 100
