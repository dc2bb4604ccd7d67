"""Tags and pictures: from audio files through .nac files and back, and what hostile ones can do."""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections import Counter
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen import flac, id3
from mutagen.aiff import AIFF

from commands import FAKE, run
from fake_model import make_model
from nacli.api import encode
from nacli.audio import AudioInfo, AudioReader, AudioWriter
from nacli.audio.metadata.bounded_file import BoundedFile
from nacli.audio.metadata.collected import MAX_TAGS, SOFTWARE, CollectedTags
from nacli.audio.metadata.id3 import parse_id3
from nacli.audio.metadata.tag_reader import read_tags
from nacli.encoder.settings import EncoderSettings
from nacli.errors import NacliError, WriteFailed
from nacli.files.outputs import Output
from nacli.format import Picture, edit_tags, fit_tags, pack_picture
from nacli.inspection.info import read_info
from nacli.jobs.convert import decode_file, encode_file
from tagged_files import BACK, COVER, IN_WAV, RATE, SOUND, TAGS, add_id3, make, pairs

MODEL = make_model()


def read(path: Path) -> AudioInfo:
    with AudioReader(str(path)) as reader:
        assert sum(map(len, reader.blocks(1000))) == reader.info.samples
        return reader.info


def write(path: Path, tags: tuple[str, ...], picture: bytes | None = None) -> tuple[str, ...]:
    """Write a file; return what it has dropped."""
    info = AudioInfo(48_000, 1, "OPUS", len(SOUND), tags, picture)
    with AudioWriter(str(path), info, force=True) as writer:
        writer.write(SOUND[:, None])
    return writer.dropped


KINDS = [
    (".flac", "PCM_16"), (".ogg", "VORBIS"), (".ogg", "OPUS"), (".aiff", "PCM_16"),
    (".wav", "PCM_16"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target"), [*product(KINDS, [".flac", ".ogg", ".aiff", ".wav"])]
)
def test_tags_go_from_any_container_to_any(
    tmp_path: Path, model: Any, source: tuple[str, str], target: str
) -> None:
    path, nac, out = make(tmp_path / f"x{source[0]}", source[1]), tmp_path / "x.nac", tmp_path / "y"
    out = out.with_suffix(target)
    encoded = encode_file(str(path), str(nac), model, EncoderSettings(), watch=lambda _: None)
    decoded = decode_file(str(nac), str(out), model, watch=lambda _: None)
    from_wav = source[0] == ".wav"
    header = read_info(str(nac)).header
    assert sorted(header.tags) == sorted(IN_WAV if from_wav else TAGS)
    assert encoded.dropped == (() if from_wav else (str(BACK),))
    assert (header.picture is None) == from_wav
    held = header.tags if target != ".wav" else IN_WAV
    assert sorted(read(out).tags) == sorted(held)
    if target == ".wav" and not from_wav:
        expected = {"another ARTIST", "Own Name", "LYRICS", "REPLAYGAIN_TRACK_GAIN", str(COVER)}
        assert set(decoded.dropped) == expected
    else:
        assert decoded.dropped == ()
        assert read(out).picture == header.picture or target == ".aiff"
    assert soundfile.info(out).frames == len(SOUND)
    check_with_mutagen(out, header.tags, header.picture)


def check_with_mutagen(path: Path, tags: tuple[str, ...], picture: bytes | None) -> None:
    """The file is what other programs expect of its kind."""
    file = mutagen.File(path)
    if path.suffix in (".flac", ".ogg"):
        vorbis = [(n, v) for n, v in file.tags if n != "METADATA_BLOCK_PICTURE"]
        assert vorbis == pairs(tags)
        assert "Xiph" in file.tags.vendor or "lib" in file.tags.vendor
    if path.suffix == ".flac":
        assert [block.write() for block in file.pictures] == ([picture] if picture else [])
    if path.suffix == ".aiff":
        title, genre = file.tags["TIT2"].text, file.tags["TCON"].genres
        assert (title, genre) == ([pairs(tags)[0][1]], ["Noise"])
        assert [p.data for p in file.tags.getall("APIC")] == ([COVER.data] if picture else [])


def test_the_cover_is_chosen_else_the_first_picture(tmp_path: Path) -> None:
    other = Picture(0, "image/gif", "", 0, 0, 0, 0, b"other")
    info = read(make(tmp_path / "x.flac", "PCM_16", TAGS, (other, BACK)))
    assert (info.picture, info.dropped) == (pack_picture(other), (str(BACK),))
    info = read(make(tmp_path / "x.flac", "PCM_16", TAGS, (other, BACK, COVER)))
    assert (info.picture, info.dropped) == (pack_picture(COVER), (str(other), str(BACK)))


def test_the_encoder_of_the_input_is_not_that_of_the_output(tmp_path: Path) -> None:
    tags = ("encoder=Lavf", "ENCODER_OPTIONS=--fast", "ENCODED-BY=me")
    assert read(make(tmp_path / "x.flac", "PCM_16", tags)).tags == ("ENCODED-BY=me",)


NAMES = st.text(
    st.characters(codec="ascii", exclude_characters="=~\x7f", min_codepoint=32), min_size=1
)
VALUES = st.text(st.characters(codec="utf-8"), max_size=60) | st.text("ab\0\n=()17", max_size=9)
USUAL = st.sampled_from(["TITLE", "Artist", "DATE", "GENRE", "COMMENT", "lyrics", "TRACKNUMBER"])


@pytest.mark.parametrize("extension", [".flac", ".ogg", ".aiff", ".wav"])
@given(st.lists(st.tuples(USUAL | NAMES, VALUES), max_size=6))
@settings(max_examples=25, deadline=None)
def test_any_text_is_kept_or_named_as_dropped(
    tmp_path_factory: pytest.TempPathFactory, extension: str, given: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{extension}"
    named = [
        (name, value) for name, value in given
        if name.upper() not in {*SOFTWARE, "METADATA_BLOCK_PICTURE"}
    ]  # fmt: skip
    dropped = [name.removeprefix("another ") for name in write(path, tuple(map("=".join, named)))]
    asked = Counter((name.upper(), value) for name, value in named)
    kept = Counter((name.upper(), value) for name, value in pairs(read(path).tags))
    assert not kept - asked
    assert sorted(name for name, _ in (asked - kept).elements()) == sorted(map(str.upper, dropped))
    assert not dropped or extension in (".aiff", ".wav")


def test_big_values_and_many_of_them(tmp_path: Path) -> None:
    tags = ("LYRICS=" + "l\u00e4 " * 50_000, *(f"N{number}=v" for number in range(5000)), "TITLE=t")
    for extension in (".flac", ".ogg", ".aiff"):
        assert write(tmp_path / f"x{extension}", tags) == ()
        assert sorted(read(tmp_path / f"x{extension}").tags) == sorted(tags)
    dropped = write(tmp_path / "x.wav", ("COMMENT=" + "c" * 2000, "TITLE=t"))
    assert (dropped, read(tmp_path / "x.wav").tags) == (("COMMENT",), ("TITLE=t",))


def test_a_full_disk_while_tags_are_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(output: Output, data: bytes) -> int:
        if b"a title" in bytes(data):
            raise WriteFailed(f"{output.name}: No space left on device")
        return written(output, data)

    written = Output.write
    monkeypatch.setattr(Output, "write", full)
    for extension in (".flac", ".ogg", ".aiff", ".wav"):
        with pytest.raises(WriteFailed, match="No space left"):
            write(tmp_path / f"x{extension}", ("TITLE=a title",))
    assert os.listdir(tmp_path) == []


# ID3, as mutagen and others write it.


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


def tag_of(version: int, body: bytes, flags: int = 0) -> bytes:
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + body


def frame(name: bytes, body: bytes, flags: int = 0) -> bytes:
    return name + struct.pack(">IH", len(body), flags) + body


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


# Hostile inputs: the sound is there, and nothing crashes, hangs or takes the memory.


def read_bytes(folder: Path, data: bytes) -> CollectedTags:
    (folder / "hostile").write_bytes(data)
    with open(folder / "hostile", "rb") as file:
        return read_tags(file.fileno())


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


# The values.


def test_edits_replace_add_and_remove() -> None:
    tags = ("TITLE=a", "Artist=b", "ARTIST=c", "DATE=1")
    edits = ("artist=x", "ARTIST=y", "date=", "New=1=2")
    assert edit_tags(tags, edits) == ("artist=x", "ARTIST=y", "New=1=2", "TITLE=a")
    for wrong in ("", "=", "=x", "name", "n\u00e4me=x", "a~=x", "a\n=x", "a=\udcff"):
        with pytest.raises(ValueError):  # noqa: PT011
            edit_tags((), (wrong,))


def test_what_a_nac_file_has_no_room_for_is_named(tmp_path: Path, model: Any) -> None:
    big, bigger = "A=" + "x" * 600_000, "B=" + "x" * 600_000
    assert fit_tags((big, bigger, "C=c")) == ((big, "C=c"), ("B",))
    exact = "A=" + "x" * ((1 << 20) - 5 - 3 - 2)
    assert fit_tags((exact, "C=")) == ((exact,), ("C",))
    encode(np.zeros((0, 1), np.float32), RATE, model=model, tags=(exact,))
    path = make(tmp_path / "x.aiff", "PCM_16", pictures=())
    file: Any = AIFF(path)
    file.tags.clear()
    for tag in (big, bigger):
        file.tags.add(id3.TXXX(encoding=3, desc=tag[0], text=[tag[2:]]))
    file.tags.add(id3.APIC(encoding=3, mime="image/png", type=3, data=bytes(16 << 20)))
    file.save()
    done = encode_file(
        str(path), str(tmp_path / "x.nac"), model, EncoderSettings(), watch=lambda _: None
    )
    assert done.dropped == ("B", "picture (image/png, 16777216 bytes)")
    header = read_info(str(tmp_path / "x.nac")).header
    assert (header.tags, header.picture) == ((big,), None)


def test_unsound_tags_and_pictures_are_refused_by_the_api(model: Any) -> None:
    for unsound in (
        {"tags": ["no value"]},
        {"picture": b"no picture"},
        {"tags": ["A=" * (1 << 20)]},
    ):
        with pytest.raises(ValueError, match=r"NAME=value|field|section"):
            encode(SOUND, RATE, model=model, **unsound)


def test_tags_do_not_change_the_packets(model: Any) -> None:
    bare = encode(SOUND, RATE, model=model, bitrate=3)
    full = encode(SOUND, RATE, model=model, bitrate=3, tags=TAGS, picture=pack_picture(COVER))
    assert len(full) > len(bare) + len(COVER.data)
    assert full.endswith(bare[200:])


# The command line.


def test_options(tmp_path: Path) -> None:
    make(tmp_path / "x.flac", "PCM_16")
    edits = ["--tag", "title=Neu", "--tag", "Mood=calm", "--tag", "LYRICS="]
    assert run(FAKE, "encode", "x.flac", *edits, cwd=tmp_path).returncode == 0
    shown = json.loads(run(FAKE, "info", "--json", "x.nac", cwd=tmp_path).stdout)
    unchanged = [tag for tag in TAGS if not tag.startswith(("TITLE", "LYRICS"))]
    assert shown["tags"] == ["title=Neu", "Mood=calm", *unchanged]
    assert shown["picture"] == {
        "type": 3, "mime": "image/png", "description": COVER.description, "width": 600,
        "height": 500, "bytes": len(COVER.data),
    }  # fmt: skip
    text = run(FAKE, "info", "x.nac", cwd=tmp_path).stdout.decode()
    assert "  tag        Mood=calm\n" in text
    assert "  picture    front cover, image/png, 600 x 500, 10240 bytes\n" in text
    run(FAKE, "decode", "--no-tags", "x.nac", "-o", "y.flac", cwd=tmp_path)
    assert read(tmp_path / "y.flac") == AudioInfo(RATE, 1, "PCM_16", len(SOUND))
    run(FAKE, "encode", "--no-tags", "x.flac", "--tag", "A=b", "-o", "bare.nac", cwd=tmp_path)
    header = read_info(str(tmp_path / "bare.nac")).header
    assert (header.tags, header.picture) == (("A=b",), None)
    done = run(FAKE, "encode", "x.flac", "-f", "--tag", "novalue", cwd=tmp_path)
    assert (done.returncode, b"--tag" in done.stderr) == (2, True)


def test_what_is_dropped_is_said_in_one_line(tmp_path: Path) -> None:
    many = tuple(f"\x20N{number}=v" for number in range(20))
    make(tmp_path / "x.flac", "PCM_16", (*many, "TITLE=t"))
    said = run(FAKE, "encode", "x.flac", cwd=tmp_path).stderr.decode().splitlines()
    assert said[1:] == ["x.flac -> x.nac  dropped: picture (image/jpeg, 4 bytes)"]
    said = run(FAKE, "decode", "x.nac", cwd=tmp_path).stderr.decode().splitlines()
    names = ", ".join(f" N{number}" for number in range(10))
    assert said[1:] == [f"x.nac -> x.wav  dropped: {names}, 11 more"]
    assert run(FAKE, "decode", "--silent", "-f", "x.nac", cwd=tmp_path).stderr == b""
    said = run(FAKE, "decode", "x.nac", "-o", "-", cwd=tmp_path).stderr.decode().splitlines()
    assert said[1:] == [f"x.nac -> standard output  dropped: {names}, 11 more"]


def test_pipes_keep_tags(tmp_path: Path) -> None:
    nac = run(
        FAKE, "encode", "-", cwd=tmp_path, stdin=make(tmp_path / "x.flac", "PCM_16").read_bytes()
    )
    (tmp_path / "x.nac").write_bytes(nac.stdout)
    header = read_info(str(tmp_path / "x.nac")).header
    assert (header.tags, header.picture) == (TAGS, pack_picture(COVER))
    wav = run(FAKE, "decode", "-", cwd=tmp_path, stdin=nac.stdout).stdout
    nac = run(FAKE, "encode", "-", cwd=tmp_path, stdin=wav)
    (tmp_path / "x.nac").write_bytes(nac.stdout)
    assert sorted(read_info(str(tmp_path / "x.nac")).header.tags) == sorted(IN_WAV)


def test_unreadable_tags_are_said_and_no_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.mp3", SOUND, RATE, format="MP3")
    sound = (tmp_path / "x.mp3").read_bytes()
    damaged = tag_of(3, frame(b"TIT2", b"\0Hi") + frame(b"TALB", b"\0B")[:-1])
    (tmp_path / "x.mp3").write_bytes(damaged + sound)
    done = run(FAKE, "encode", "x.mp3", "--tag", "A=b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.decode().splitlines()[-1].endswith("dropped: tags that cannot be read")
    assert "A=b" in read_info(str(tmp_path / "x.nac")).header.tags
