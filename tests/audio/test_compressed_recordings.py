"""FLAC, Ogg and MPEG audio: joined, cut and damaged recordings, and wrong lengths in headers."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_bytes import RATE, changed, flipped, made, read
from nacli.audio import AudioReader
from nacli.audio.parsing.mpeg import find_streams
from nacli.errors import NacliError, UnreadableInput, UnsupportedAudio


def with_total(data: bytes, total: int) -> bytes:
    """FLAC whose header promises `total` samples."""
    return changed(data, 21, bytes([data[21] & 0xF0]) + total.to_bytes(4, "big"))


@pytest.mark.parametrize("total", [1, 4096, 8192, 10_000, 19_999, 20_001, 2**31])
def test_flac_that_promises_other_lengths(tmp_path: Path, total: int) -> None:
    data = made("FLAC")
    assert read(data, tmp_path) == (20_000, None, False)
    assert read(with_total(data, 0), tmp_path) == (20_000, None, False)
    given, warning, damaged = read(with_total(data, total), tmp_path)
    assert given == 20_000 and not damaged
    assert warning and f"promises {total / RATE:.3f} s, it holds 1.250 s" in warning
    with AudioReader(str(tmp_path / "in")) as reader:
        assert reader.info.samples is None, "it would be wrong in the header of the output"


@pytest.mark.parametrize("break_it", [lambda b: b[: len(b) * 2 // 3], lambda b: flipped(b)])
def test_damaged_flac_is_read_up_to_the_damage(
    tmp_path: Path, break_it: Callable[[bytes], bytes]
) -> None:
    data = break_it(made("FLAC"))
    given, warning, damaged = read(data, tmp_path)
    assert given in range(4096, 20_000, 4096) and damaged
    assert warning and f"damaged at {given / RATE:.3f} s" in warning
    with pytest.raises(UnreadableInput, match="in: "):  # nothing is left before the damage
        read(data[:60], tmp_path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_all_links_of_a_chained_ogg_stream_are_read(tmp_path: Path, subtype: str) -> None:
    links = [made("OGG", subtype, samples) for samples in (20_000, 9_000, 5_000)]
    assert read(links[0], tmp_path) == (20_000, None, False)
    given, warning, damaged = read(b"".join(links), tmp_path)
    assert given == 34_000 and not damaged
    assert warning == "3 recordings are joined in it; encoded what is there"
    with AudioReader(str(tmp_path / "in")) as reader:
        assert reader.info.samples == 34_000
    for other in (made("OGG", subtype, rate=48_000), made("OGG", subtype, channels=2)):
        with pytest.raises(UnsupportedAudio, match="cannot be joined"):
            read(links[0] + other, tmp_path)


def test_ogg_that_lacks_pages(tmp_path: Path) -> None:
    data = made("OGG", "VORBIS", 100_000)
    pages = [at for at in range(len(data)) if data[at : at + 5] == b"OggS\0"]
    assert len(pages) > 5
    _, warning, damaged = read(data[: pages[-1]], tmp_path)
    assert warning and "last page" in warning and not damaged
    _, warning, damaged = read(data[: pages[3]] + data[pages[4] :], tmp_path)
    assert warning and "missing or damaged" in warning and damaged
    assert read(data[: pages[3]] + b"x" + data[pages[3] :], tmp_path)[0] == 100_000


def ogg_flac(data: bytes) -> bytes:
    """A FLAC file in Ogg pages, all but the first of 4000 bytes."""
    bodies = [b"\x7fFLAC\x01\0\0\x01" + data[:42]]
    bodies += [data[at : at + 4000] for at in range(42, len(data), 4000)]
    pages = b""
    for number, body in enumerate(bodies):
        flags = 2 if number == 0 else 4 if number == len(bodies) - 1 else 0
        table = bytes([255] * (len(body) // 255) + [len(body) % 255])
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, 7, number, 0, len(table))
        pages += head + table + body
    return pages


def test_flac_in_ogg(tmp_path: Path) -> None:
    assert read(ogg_flac(made("FLAC")), tmp_path) == (20_000, None, False)
    with AudioReader(str(tmp_path / "in")) as reader:
        pcm = np.concatenate(list(reader.blocks(6000)))
        assert (reader.info.samples, reader.info.sample_format) == (20_000, "PCM_16")
    np.testing.assert_array_equal(pcm[:, 0], soundfile.read(io.BytesIO(made("FLAC")))[0])
    given, warning, _ = read(ogg_flac(with_total(made("FLAC"), 4096)), tmp_path)
    assert given == 20_000 and warning and "promises 0.256 s" in warning


def mp3(samples: int = 40_000, mode: str = "CONSTANT", rate: int = 44_100) -> bytes:
    return made("MP3", samples=samples, rate=rate, bitrate_mode=mode, compression_level=0.3)


def first_frame(data: bytes, folder: Path) -> int:
    """Bytes of the Xing frame of an MP3 file."""
    (folder / "in").write_bytes(data)
    at = next(at for at in range(100, len(data)) if data[at : at + 2] == data[:2])
    assert data[:at].count(b"Xing") + data[:at].count(b"Info") == 1
    return at


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_all_of_joined_mp3_is_read(tmp_path: Path, mode: str) -> None:
    one, other = mp3(mode=mode), mp3(30_000, mode)
    assert read(one, tmp_path) == (40_000, None, False)
    bare = other[first_frame(other, tmp_path) :]
    frames = read(bare, tmp_path)[0]
    assert 30_000 <= frames < 30_000 + 4 * 1152
    tag = b"TAG" + bytes(125)
    for data, samples in (
        (one + other, 70_000),
        (other + tag + one, 70_000),
        (one + bare, 40_000 + frames),
        (bare + one, 40_000 + frames),
        (one + b"ID3\4\0\0\0\0\0\x09" + bytes(9) + other, 70_000),
    ):
        given, warning, damaged = read(data, tmp_path)
        assert (given, damaged) == (samples, False)
        assert warning == "2 recordings are joined in it; encoded what is there"
    with pytest.raises(UnsupportedAudio, match="cannot be joined"):
        read(one + mp3(rate=48_000), tmp_path)


def test_cut_and_damaged_mp3(tmp_path: Path) -> None:
    data = mp3()
    given, warning, damaged = read(data[: len(data) // 2], tmp_path)
    assert 15_000 < given < 25_000 and not damaged
    assert warning and "promises 0.907 s" in warning
    middle = len(data) // 2
    given, warning, damaged = read(data[:middle] + bytes([1] * 5000) + data[middle:], tmp_path)
    assert given > 36_000 and damaged
    assert warning and "no MPEG audio" in warning


@given(st.binary(max_size=300), st.sampled_from([b"OggS", b"fLaC", b"\xff\xfb\x90\x64", b"caff"]))
@settings(max_examples=30)
def test_nothing_breaks_the_readers(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile"
    whole = {b"OggS": made("OGG", "VORBIS", 100), b"fLaC": made("FLAC", None, 100)}
    whole |= {b"caff": made("CAF", "PCM_16", 100)}
    for content in (magic + data, magic + data + magic + data, whole.get(magic, magic) + data):
        path.write_bytes(content)
        try:
            with AudioReader(str(path)) as reader:
                assert sum(len(pcm) for pcm in reader.blocks(999)) < 100_000
                reader.warning()
        except NacliError:
            pass


def test_recordings_of_other_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no MPEG" * 9)
    with open(tmp_path / "x", "rb") as file:
        assert find_streams(file.fileno(), 63) == []
