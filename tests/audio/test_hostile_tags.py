"""Hostile tags: the sound is read, and nothing crashes, hangs or exhausts memory."""

from __future__ import annotations

import os
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacli.api import encode
from nacli.audio import AudioReader
from nacli.audio.metadata.bounded_file import BoundedFile
from nacli.audio.metadata.collected import MAX_TAGS, CollectedTags
from nacli.audio.metadata.id3 import parse_id3
from nacli.audio.metadata.tag_reader import read_tags
from nacli.errors import NacliError
from nacli.format import fit_tags
from tag_helpers import KINDS, MODEL, frame, read, read_bytes, tag_of
from tagged_files import RATE, SOUND, make


def test_giant_and_false_sizes(tmp_path: Path) -> None:
    sound = make(tmp_path / "x.flac", "PCM_16", ("TITLE=t",), ()).read_bytes()
    size = int.from_bytes(sound[5:8], "big") + 8
    picture = struct.pack(">II", 3, 0xFFFFFFF0) + b"image/png"
    hostile = sound[:size] + b"\6" + len(picture).to_bytes(3, "big") + picture + sound[size:]
    (tmp_path / "y.flac").write_bytes(hostile)
    with open(tmp_path / "y.flac", "r+b") as file:
        file.truncate(3 << 30)  # so that the bytes are there
    started = time.monotonic()
    assert read(tmp_path / "x.flac").tags == ("TITLE=t",)
    with open(tmp_path / "y.flac", "rb") as file:
        assert read_tags(file.fileno()) == CollectedTags(dropped=["tags that cannot be read"])
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "data",
    [
        tag_of(4, frame(b"TIT2", b"") * 100_000),
        tag_of(4, (frame(b"TIT2", b"\0x") + frame(b"TXXX", b"\0")) * 50_000),
        tag_of(3, frame(b"TIT2", b"\0" + b"a\0" * 2_000_000)),
        tag_of(3, frame(b"TCON", b"\0" + b"(1)" * 300_000)),
        tag_of(4, frame(b"TCON", b"\0" + b"\0".join(b"%d" % n for n in range(60_000)))),
        tag_of(3, frame(b"TXXX", b"\0n\0" + b"a\0" * 300_000)),
        tag_of(3, frame(b"TIT2", zlib.compress(bytes(1 << 28)), 0x80)),
        tag_of(3, frame(b"APIC", b"\1image/png\0\3" + b"a\0\0a" * 1_000_000)),
        b"RIFF" + struct.pack("<I", 1 << 31) + b"WAVE" + b"LIST\0\0\0\0" * 1_000_000,
        b"fLaC" + b"\4\0\0\x09" + bytes(4) + b"\xff\xff\xff\xff" + bytes(1 << 20),
        (b"OggS" + bytes(23)) * 200_000,
        b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis" + bytes(23) + (b"OggS" + bytes(23)) * 200_000,
    ],
    ids=range(12),
)
def test_floods_end_soon(tmp_path: Path, data: bytes) -> None:
    started = time.process_time()
    found = read_bytes(tmp_path, data)
    assert time.process_time() - started < 5
    assert len(found.tags) <= MAX_TAGS


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_tags_never_stop_the_sound(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    extension, subtype = data.draw(st.sampled_from(KINDS))
    path = folder / f"{subtype}{extension}"
    if not path.exists():
        make(path, subtype)
    damaged = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=8)):
        damaged[at] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    read_bytes(folder, bytes(damaged))
    try:
        with AudioReader(str(folder / "hostile")) as reader:
            tags, picture = reader.info.tags, reader.info.picture
        encode(SOUND[:0], RATE, model=MODEL, tags=fit_tags(tags)[0], picture=picture)
    except NacliError:
        pass


@settings(deadline=None)
@given(st.sampled_from([2, 3, 4]), st.integers(0, 255), st.binary(max_size=80))
def test_any_id3_is_read_or_refused(version: int, flags: int, body: bytes) -> None:
    for content in (body, frame(b"TIT2", body), frame(b"APIC", body), frame(b"COMM", body, flags)):
        with suppress(ValueError):
            parse_id3(tag_of(version, content, flags))


def test_the_place_in_the_file_is_not_moved(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(100)))
    with open(tmp_path / "x", "rb", buffering=0) as file:
        front = BoundedFile(file.fileno())
        front.seek(-10, os.SEEK_END)
        assert (front.read(), front.tell(), front.read(5)) == (bytes(range(90, 100)), 100, b"")
        assert file.tell() == 0
        with pytest.raises(ValueError, match="start"):
            front.seek(-1)
