"""ID3 tags as mutagen and other programs write them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import mutagen
import pytest
import soundfile
from mutagen import flac, id3

from nacli.audio import AudioReader
from nacli.audio.metadata.id3 import parse_id3
from nacli.format import Picture, pack_picture
from tag_helpers import frame, read, tag_of
from tagged_files import BACK, COVER, RATE, SOUND, TAGS, add_id3, make


@pytest.mark.parametrize(("version", "encoding"), [(3, 1), (4, 1), (4, 2), (4, 3)])
def test_mp3(tmp_path: Path, version: int, encoding: int) -> None:
    soundfile.write(tmp_path / "x.mp3", SOUND, RATE, format="MP3")
    frames = id3.ID3()
    add_id3(frames, [flac.Picture(pack_picture(picture)) for picture in (BACK, COVER)], encoding)
    frames.add(id3.PRIV(owner="x", data=b"y"))
    if version == 3:
        frames.update_to_v23()
    frames.save(tmp_path / "x.mp3", v2_version=version, v23_sep=None)
    with AudioReader(str(tmp_path / "x.mp3")) as reader:
        info = reader.info
    date = "DATE=1999" if version == 3 else "DATE=1999-12-31"
    wanted = [date if tag.startswith("DATE") else tag for tag in TAGS]
    assert sorted(info.tags) == sorted(wanted)
    plain = Picture(3, COVER.mime, COVER.description, 0, 0, 0, 0, COVER.data)
    assert info.picture == pack_picture(plain)
    assert {*info.dropped} >= {"ID3 PRIV", str(BACK)}
    assert {*info.dropped} <= {"ID3 PRIV", "ID3 TDAT", str(BACK)}


def test_old_and_odd_id3() -> None:
    old = b"TT2\0\0\x03\0Hi" + b"PIC\0\0\x08\0JPG\3\0xy" + b"TCO\0\0\5\0(17)" + bytes(20)
    found = parse_id3(tag_of(2, old))
    assert found.tags == ["TITLE=Hi", "GENRE=Rock"]
    assert found.pictures == [Picture(3, "image/jpeg", "", 0, 0, 0, 0, b"xy")]
    unsynchronised = frame(b"TIT2", b"\0a\xff\xe0").replace(b"\xff", b"\xff\0")
    assert parse_id3(tag_of(3, unsynchronised, 0x80)).tags == ["TITLE=a\xff\xe0"]
    packed = frame(b"TIT2", zlib.compress(b"\0Hi"), 0x80) + frame(b"TALB", b"\0B")
    found = parse_id3(tag_of(3, packed))
    assert (found.tags, found.dropped) == (["ALBUM=B"], ["ID3 TIT2"])
    long = b"\3" + b"x" * 299  # 4 and eight bits a byte, as iTunes wrote it
    found = parse_id3(tag_of(4, frame(b"TIT2", long) + frame(b"TALB", b"\0B")))
    assert found.tags == ["TITLE=" + "x" * 299, "ALBUM=B"]
    extended = struct.pack(">I", 6) + bytes(6) + frame(b"TIT2", b"\0Hi")
    assert parse_id3(tag_of(3, extended, 0x40)).tags == ["TITLE=Hi"]


def test_id3_chunk_of_a_wav_file_adds_what_info_lacks(tmp_path: Path) -> None:
    path = make(tmp_path / "x.wav", "PCM_16")
    file: Any = mutagen.File(path)
    file.add_tags()
    add_id3(file.tags, [flac.Picture(pack_picture(COVER))])
    file.tags.add(id3.TIT2(encoding=3, text=["another title"]))
    file.save()
    info = read(path)
    assert sorted(info.tags) == sorted(set(TAGS) - {"ARTIST=B"})
    assert info.picture is not None
