"""nacli.audio: files and pipes to pcm and back, and sample rates."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from nacli.audio import AudioInfo, AudioReader, AudioWriter, Resampler
from nacli.audio.containers import CONTAINERS, MAX_BYTES
from nacli.audio.pcm import Pushback, decode_samples, encode_samples
from nacli.audio.wav_stream import WAV_FORMATS, read_header, write_header
from nacli.errors import OutputExists, UnreadableInput, UnsupportedAudio, WriteFailed
from nacli.files.outputs import Output
from nacli.types import Pcm

TAGS: tuple[str, ...] = (
    "TITLE=Gr\u00fc\u00dfe",
    "ARTIST=A",
    "ALBUM=B",
    "DATE=1999",
    "COMMENT=c d",
    "GENRE=Noise",
)
TAGS += ("TRACKNUMBER=7", "COPYRIGHT=me")
STEP = {"PCM_S8": 2**-7, "PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-24}


def noise(samples: int, channels: int = 1, seed: int = 0) -> Pcm:
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.9, 0.9, (samples, channels)).astype(np.float32)


def write(path: Path | str, pcm: Pcm, info: AudioInfo, block: int = 1000, **options: Any) -> None:
    with AudioWriter(str(path), info, **options) as writer:
        for start in range(0, len(pcm), block):
            writer.write(pcm[start : start + block])


def read(path: Path | str, block: int = 777, **options: Any) -> tuple[AudioInfo, Pcm]:
    with AudioReader(str(path), **options) as reader:
        blocks = list(reader.blocks(block))
        assert all(len(pcm) == block for pcm in blocks[:-1])
        return reader.info, np.concatenate(
            [np.zeros((0, reader.info.channels), np.float32), *blocks]
        )


@contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))
    try:
        yield
    finally:
        sys.stdin = before


def read_pipe(data: bytes, block: int = 777) -> tuple[AudioInfo, Pcm]:
    with standard_input(data):
        return read("-", block)


def wav(pcm: Pcm, sample_format: str = "PCM_16", **changes: Any) -> bytes:
    info = AudioInfo(48_000, pcm.shape[1], sample_format, len(pcm))
    return write_header(replace(info, **changes)) + encode_samples(pcm, sample_format)


ALL_FORMATS = sorted(
    {(extension, name) for extension, (_, names) in CONTAINERS.items() for name in names}
)


@pytest.mark.parametrize(("extension", "sample_format"), ALL_FORMATS)
def test_round_trip_of_every_container_and_format(
    tmp_path: Path, extension: str, sample_format: str
) -> None:
    pcm = noise(5001, 2)
    info = AudioInfo(48_000, 2, sample_format, len(pcm), TAGS)
    write(tmp_path / f"x{extension}", pcm, info)
    back, result = read(tmp_path / f"x{extension}")
    assert replace(back, tags=()) == replace(info, tags=())
    assert set(back.tags) == set(TAGS)
    assert result.shape == pcm.shape
    if sample_format in STEP:
        assert np.abs(result - pcm).max() <= STEP[sample_format] / 2
    elif sample_format in ("FLOAT", "DOUBLE"):
        assert np.array_equal(result, pcm)


@pytest.mark.parametrize("extension", [".wav", ".flac", ".aiff"])
def test_integer_samples_come_back_the_same(tmp_path: Path, extension: str) -> None:
    pcm = np.arange(-32768, 32768, 3).astype(np.float32)[:, None] / np.float32(32768)
    write(tmp_path / f"x{extension}", pcm, AudioInfo(8000, 1, "PCM_16", len(pcm)))
    assert np.array_equal(read(tmp_path / f"x{extension}")[1], pcm)


@pytest.mark.parametrize("extension", CONTAINERS)
@pytest.mark.parametrize("samples", [0, 1])
def test_shortest_files(tmp_path: Path, extension: str, samples: int) -> None:
    for sample_format in ("PCM_16", "OPUS"):
        path = tmp_path / f"{sample_format}{extension}"
        write(path, noise(samples, 2), AudioInfo(48_000, 2, sample_format, samples))
        assert read(path)[1].shape == (samples, 2)


@pytest.mark.parametrize(
    ("extension", "wanted", "got"),
    [
        (".flac", "FLOAT", "PCM_24"),
        (".flac", "PCM_U8", "PCM_S8"),
        (".flac", "PCM_32", "PCM_24"),
        (".wav", "PCM_S8", "PCM_U8"),
        (".wav", "VORBIS", "PCM_16"),
        (".wav", "IMA_ADPCM", "PCM_16"),
        (".WAV", "MPEG_LAYER_III", "PCM_16"),
        (".ogg", "DOUBLE", "VORBIS"),
        (".ogg", "OPUS", "VORBIS"),
    ],
)
def test_nearest_sample_format(tmp_path: Path, extension: str, wanted: str, got: str) -> None:
    write(tmp_path / f"x{extension}", noise(100), AudioInfo(44_100, 1, wanted, 100))
    assert read(tmp_path / f"x{extension}")[0].sample_format == got


@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_extreme_rates_and_channels(tmp_path: Path, rate: int) -> None:
    for extension in CONTAINERS:
        path = tmp_path / f"{rate}{extension}"
        write(path, noise(3000, 8), AudioInfo(rate, 8, "PCM_16", 3000))
        info, pcm = read(path)
        assert (info.sample_rate, pcm.shape) == (rate, (3000, 8))


def test_clipping_not_wrapping(tmp_path: Path) -> None:
    loud = np.array([[-3.0], [-1.0], [1.0], [3.0]], np.float32)
    for sample_format in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "ULAW"):
        write(tmp_path / "x.wav", loud, AudioInfo(8000, 1, sample_format, 4), force=True)
        pcm = read(tmp_path / "x.wav")[1][:, 0]
        assert (pcm[:2] < -0.97).all() and (pcm[2:] > 0.97).all()
    write(tmp_path / "f.wav", loud, AudioInfo(8000, 1, "FLOAT", 4))
    assert np.array_equal(read(tmp_path / "f.wav")[1], loud)


def test_not_finite_becomes_zero(tmp_path: Path) -> None:
    pcm = np.array([[0.5], [np.nan], [np.inf], [-np.inf], [-0.5]], np.float32)
    soundfile.write(tmp_path / "x.wav", pcm, 48_000, "FLOAT")
    expected = np.array([[0.5], [0], [0], [0], [-0.5]], np.float32)
    assert np.array_equal(read(tmp_path / "x.wav")[1], expected)
    huge = write_header(AudioInfo(48_000, 1, "DOUBLE", 1)) + struct.pack("<d", 1e300)
    assert read_pipe(huge)[1].tolist() == [[0.0]]


@pytest.mark.parametrize("extension", [".ogg", ".flac", ".mp3"])
def test_block_size_does_not_change_samples(tmp_path: Path, extension: str) -> None:
    subtype = {".ogg": "OPUS", ".mp3": "MPEG_LAYER_III"}.get(extension)
    soundfile.write(tmp_path / f"x{extension}", noise(20_007, 2), 48_000, subtype)
    results = [read(tmp_path / f"x{extension}", block)[1] for block in (100_000, 777, 64)]
    assert results[0].shape == (20_007, 2)
    assert all(np.array_equal(results[0], result) for result in results[1:])


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"no audio" * 99)
    (tmp_path / "x.raw").write_bytes(b"no audio" * 99)
    (tmp_path / "empty").touch()
    for name, cause in {
        "x.wav": "not recog",
        "x.raw": "not recog",
        "none": "No such",
        ".": "Is a",
    }.items():
        with pytest.raises(UnreadableInput, match=cause) as error:
            AudioReader(str(tmp_path / name))
        assert str(tmp_path / name) in str(error.value)
    with pytest.raises(UnreadableInput):
        AudioReader(str(tmp_path / "empty"))


def test_truncated_wav_gives_what_is_there(tmp_path: Path) -> None:
    pcm = noise(1000)
    data = wav(pcm)[:-501]
    (tmp_path / "x.wav").write_bytes(data)
    expected = decode_samples(encode_samples(pcm, "PCM_16"), "PCM_16", 1)[:749]
    assert np.array_equal(read(tmp_path / "x.wav")[1], expected)
    info, result = read_pipe(data)
    assert np.array_equal(result, expected)
    assert info.samples == 1000


def test_unsupported_audio(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "channels.wav", noise(9, 9), 48_000)
    soundfile.write(tmp_path / "low.wav", noise(9), 7999)
    soundfile.write(tmp_path / "high.wav", noise(9), 192_001)
    for name in ("channels", "low", "high"):
        data = (tmp_path / f"{name}.wav").read_bytes()
        with pytest.raises(UnsupportedAudio, match=name):
            AudioReader(str(tmp_path / f"{name}.wav"))
        with standard_input(data), pytest.raises(UnsupportedAudio):
            AudioReader("-")
    for name in ("x.mp4", "x", ".wav.nac"):
        with pytest.raises(UnsupportedAudio, match="extension"):
            AudioWriter(str(tmp_path / name), AudioInfo(48_000, 1, "PCM_16", 1))
    with pytest.raises(UnsupportedAudio, match="FLAC cannot hold"):
        write(tmp_path / "x.flac", noise(9, 9), AudioInfo(48_000, 9, "PCM_16", 1))
    assert not (tmp_path / "x.flac").exists()


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


RATES = (8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
PAIRS = [(rate, 24_000) for rate in RATES] + [(24_000, rate) for rate in RATES]


def resample(pcm: Pcm, rates: tuple[int, int], cuts: list[int]) -> Pcm:
    resampler = Resampler(*rates, pcm.shape[1])
    pieces = [resampler.process(piece) for piece in np.split(pcm, cuts)]
    return np.concatenate([*pieces, resampler.flush()])


@given(st.sampled_from(PAIRS), st.integers(1, 3), st.integers(0, 3000), st.data())
@settings(max_examples=60, deadline=None)
def test_resampler_is_chunk_exact(
    rates: tuple[int, int], channels: int, samples: int, data: st.DataObject
) -> None:
    pcm = noise(samples, channels)
    cuts = sorted(data.draw(st.lists(st.integers(0, samples), max_size=12)))
    whole = resample(pcm, rates, [])
    assert abs(len(whole) - samples * rates[1] / rates[0]) <= 1
    assert np.array_equal(resample(pcm, rates, cuts), whole)


@pytest.mark.parametrize("rates", PAIRS)
def test_resampler_in_the_smallest_and_in_long_pieces(rates: tuple[int, int]) -> None:
    pcm = noise(30_011, 2)
    whole = resample(pcm, rates, [])
    assert np.array_equal(resample(pcm, rates, [*range(1, 700), 700, 20_000]), whole)


@pytest.mark.parametrize("rate", RATES)
def test_resampling_there_and_back_keeps_time_and_level(rate: int) -> None:
    time = np.arange(rate) / rate
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)[:, None]
    back = resample(resample(tone, (rate, 24_000), []), (24_000, rate), [])
    middle = slice(rate // 4, rate * 3 // 4)
    assert np.abs(back[middle] - tone[middle]).max() < 1e-4


def test_equal_rates_pass_through() -> None:
    pcm = noise(10, 2)
    assert resample(pcm, (24_000, 24_000), [3]).tolist() == pcm.tolist()
