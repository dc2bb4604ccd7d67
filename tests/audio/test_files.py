"""Audio files of every container and sample format come back, and faulty ones are refused."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_files import STEP, TAGS, noise, read, read_pipe, standard_input, wav, write
from nacli.audio import AudioInfo, AudioReader, AudioWriter
from nacli.audio.containers import CONTAINERS
from nacli.audio.pcm import decode_samples, encode_samples
from nacli.audio.wav_stream import write_header
from nacli.errors import UnreadableInput, UnsupportedAudio

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
