"""Image files as covers: --picture and what it refuses."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen import flac

from commands import FAKE, assert_failed, run, write_tone
from nacli.format import MAX_PICTURE_BYTES, Picture, image_picture, pack_picture, unpack_picture
from nacli.inspection.info import read_info
from tagged_files import BACK, COVER, PNG, make

APP0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9)
FRAME = b"\xff\xff\xc2" + struct.pack(">HBHH", 17, 8, 400, 600)
JPEG = b"\xff\xd8" + APP0 + b"\xff\xc4\0\4\0\0" + FRAME
GIF = b"GIF89a" + struct.pack("<HH", 600, 400)
LOSSY = b"VP8 " + bytes(7) + b"\x9d\x01\x2a" + struct.pack("<HH", 600 | 0x4000, 400)
LOSSLESS = b"VP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 599 | 399 << 14 | 1 << 28)
EXTENDED = b"VP8X" + bytes(8) + struct.pack("<HBHB", 599, 0, 399, 0)
IMAGES = [("image/png", PNG), ("image/jpeg", JPEG), ("image/gif", GIF)]
IMAGES += [("image/webp", b"RIFF\0\0\0\0WEBP" + chunk) for chunk in (LOSSY, LOSSLESS, EXTENDED)]


@pytest.mark.parametrize(("mime", "data"), IMAGES)
def test_images_are_known_by_their_bytes(mime: str, data: bytes) -> None:
    assert image_picture(data) == Picture(3, mime, "", 600, 400, 0, 0, data)
    with pytest.raises(ValueError, match="image"):
        image_picture(data[:-6])


@given(st.sampled_from([data for _, data in IMAGES]), st.data())
def test_any_bytes_are_an_image_or_refused(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    damaged[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    with suppress(ValueError):
        pack_picture(image_picture(bytes(damaged[: draw.draw(st.integers(0, 99))])))


def test_a_cover_and_the_usual_tags(tmp_path: Path) -> None:
    make(tmp_path / "x.flac", "PCM_16", ("TITLE=old", "ALBUM=old", "GENRE=kept"), (COVER,))
    (tmp_path / "cover").write_bytes(JPEG)
    options = ["--title", "Né", "--artist", "A", "--artist", "B", "--date", "2026", "--album", ""]
    tag = ["--tag", "X=y", "--picture", "cover", "--report", "report.json"]
    done = run(FAKE, "encode", "x.flac", *options, *tag, cwd=tmp_path)
    assert (done.returncode, b"dropped" in done.stderr) == (0, False), done.stderr
    header = read_info(str(tmp_path / "x.nac")).header
    assert header.tags == ("TITLE=Né", "ARTIST=A", "ARTIST=B", "DATE=2026", "X=y", "GENRE=kept")
    assert header.picture is not None
    assert unpack_picture(header.picture) == Picture(3, "image/jpeg", "", 600, 400, 0, 0, JPEG)
    assert json.loads((tmp_path / "report.json").read_text())["options"]["picture"] == "cover"
    run(FAKE, "decode", "x.nac", "-o", "y.flac", cwd=tmp_path)
    assert [picture.data for picture in flac.FLAC(tmp_path / "y.flac").pictures] == [JPEG]


def test_a_back_cover_that_makes_room_is_named(tmp_path: Path) -> None:
    make(tmp_path / "x.flac", "PCM_16", (), (BACK,))
    (tmp_path / "c.png").write_bytes(PNG)
    done = run(FAKE, "encode", "x.flac", "--picture", "c.png", cwd=tmp_path)
    assert done.stderr.decode().splitlines()[1:] == [f"x.flac -> x.nac  dropped: {BACK}"]


def test_what_is_no_cover_is_refused_before_the_work(tmp_path: Path) -> None:
    write_tone(tmp_path / "x.wav", 0.1)
    (tmp_path / "big.png").write_bytes(PNG + bytes(MAX_PICTURE_BYTES - len(PNG)))
    for name, words in (("x.wav", "no JPEG"), ("no.png", "No such"), ("big.png", "16 MiB")):
        done = run(FAKE, "encode", "x.wav", "--picture", name, cwd=tmp_path)
        assert_failed(done, 3, name, words)
    done = run(FAKE, "encode", "x.wav", "--title", "\udcff", cwd=tmp_path)
    assert (done.returncode, b"--title" in done.stderr) == (2, True)
    assert not (tmp_path / "x.nac").exists()
