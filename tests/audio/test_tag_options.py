"""Edits of tags, their limits, and the options of the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mutagen import id3
from mutagen.aiff import AIFF

from commands import FAKE, run
from nacli.api import encode
from nacli.audio import AudioInfo
from nacli.format import edit_tags, fit_tags, pack_picture
from nacli.inspection.info import read_info
from nacli.jobs.encode_file import encode_file
from nacli.jobs.options import EncodeOptions
from tag_helpers import frame, read, tag_of
from tagged_files import COVER, IN_WAV, RATE, SOUND, TAGS, make


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
    done = encode_file(str(path), str(tmp_path / "x.nac"), model, EncodeOptions(), lambda _: None)
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
