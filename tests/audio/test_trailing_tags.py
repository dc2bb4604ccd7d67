"""Tags at the end of MP3 files, and text that does not say how it is encoded."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from mutagen import apev2

from commands import FAKE, run
from nacli.audio import AudioReader
from nacli.audio.metadata.tag_reader import read_tags
from nacli.audio.metadata.trailing import ape_size, parse_ape, parse_id3v1
from nacli.audio.wav_stream import parse_info
from nacli.inspection.info import read_info
from tagged_files import PNG

RATE = 16_000


def id3v1(title: bytes, comment: bytes = b"", number: int = 0, genre: int = 255) -> bytes:
    fields = (title, b"An artist", b"An album")
    padded = b"".join(field.ljust(30, b"\0") for field in fields) + b"1999"
    rest = comment.ljust(30, b"\0") if not number else comment.ljust(29, b"\0") + bytes([number])
    return b"TAG" + padded + rest + bytes([genre])


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "x.mp3", np.zeros(RATE // 4), RATE, format="MP3")
    return tmp_path / "x.mp3"


def append(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def tags_of(path: Path) -> list[str]:
    with AudioReader(str(path)) as reader:
        return list(reader.info.tags)


def test_id3v1_is_latin_1(mp3: Path) -> None:
    append(mp3, id3v1(b"Caf\xe9"))
    assert run(FAKE, "encode", "x.mp3", cwd=mp3.parent).returncode == 0
    tags = read_info(str(mp3.parent / "x.nac")).header.tags
    assert tags == ("TITLE=Café", "ARTIST=An artist", "ALBUM=An album", "DATE=1999")


def test_fields_of_id3v1() -> None:
    found = parse_id3v1(id3v1("Café".encode(), b"A comment  ", 7, 17))
    assert found.tags[0] == "TITLE=Café"  # as ffmpeg writes it
    assert found.tags[4:] == ["COMMENT=A comment", "TRACKNUMBER=7", "GENRE=Rock"]
    assert parse_id3v1(id3v1(b"x", b"c" * 30)).tags[-1] == "COMMENT=" + "c" * 30
    assert parse_id3v1(id3v1(b"x")[:-1]).tags == parse_id3v1(b"").tags == []


def test_ape_as_mutagen_writes_it(mp3: Path) -> None:
    tags = apev2.APEv2()
    tags["Title"], tags["Year"] = "Tïtle", "2001"
    tags["Artist"] = apev2.APETextValue("A\0B")
    tags["Cover Art (Front)"] = apev2.APEValue(b"cover.png\0" + PNG, apev2.BINARY)
    tags["Lossless"] = apev2.APEValue(b"\1", apev2.BINARY)
    tags["Link"] = apev2.APEValue("https://x", apev2.EXTERNAL)
    tags.save(mp3)
    with AudioReader(str(mp3)) as reader:
        info = reader.info
    assert sorted(info.tags) == ["ARTIST=A", "ARTIST=B", "DATE=2001", "TITLE=Tïtle"]
    assert info.picture is not None
    assert info.picture.endswith(PNG)
    assert sorted(info.dropped) == ["APE Link", "APE Lossless"]


def item(key: bytes, value: bytes, size: int | None = None) -> bytes:
    return struct.pack("<II", len(value) if size is None else size, 0) + key + b"\0" + value


def ape(items: bytes, count: int, size: int | None = None) -> bytes:
    size = len(items) + 32 if size is None else size
    return items + b"APETAGEX" + struct.pack("<IIII", 2000, size, count, 0) + bytes(8)


def test_the_better_tag_of_a_name_counts(mp3: Path) -> None:
    append(mp3, ape(item(b"Title", b"of APE") + item(b"Genre", b"Noise"), 2) + id3v1(b"of ID3v1"))
    assert tags_of(mp3) == [
        "TITLE=of APE", "GENRE=Noise", "ARTIST=An artist", "ALBUM=An album", "DATE=1999",
    ]  # fmt: skip
    text = b"TIT2" + struct.pack(">IH", 7, 0) + b"\0of ID3"
    mp3.write_bytes(b"ID3\3\0\0\0\0\0" + bytes([len(text)]) + text + mp3.read_bytes())
    assert tags_of(mp3)[:2] == ["TITLE=of ID3", "GENRE=Noise"]


def test_a_damaged_tag_costs_no_other(mp3: Path) -> None:
    append(mp3, ape(item(b"Title", b"x", 1000), 1) + id3v1(b"of ID3v1"))
    with AudioReader(str(mp3)) as reader:
        assert reader.info.tags[0] == "TITLE=of ID3v1"
        assert reader.info.dropped == ("tags that cannot be read",)


@pytest.mark.parametrize(
    "data",
    [
        ape(item(b"", b"") * 60_000, 60_000),
        ape(item(b"a", b"") * 60_000, 0xFFFFFFFF),
        ape(item(b"k" * 1_000_000, b"x"), 1),
        ape(b"", 5, 0xFFFFFFFF),
        ape(b"", 5, 3),
        ape(item(b"Cover Art (Front)", b"\0\xff\xd8" + b"\xff\xe0\0\2" * 4_000_000), 1),
    ],
    ids=range(6),
)
def test_hostile_ape_ends_soon(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    began = time.process_time()
    with open(tmp_path / "x", "rb") as file:
        assert read_tags(file.fileno()).tags == []
    assert time.process_time() - began < 5


@given(st.binary(max_size=200), st.integers(0, 9))
def test_any_ape_is_read_or_refused(items: bytes, count: int) -> None:
    data = ape(items, count)
    assert ape_size(data[-32:]) == len(data)
    with suppress(ValueError):
        parse_ape(data)


def test_info_of_wav_may_be_latin_1() -> None:
    body = b"INFOINAM" + struct.pack("<I", 5) + b"Caf\xe9\0\0"
    assert parse_info(body, len(body)) == (("TITLE=Café",), ())
