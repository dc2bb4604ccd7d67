"""Tags and pictures from audio files of any container, through .nac files, to any container."""

from __future__ import annotations

import os
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import mutagen
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from nacli.audio.metadata.collected import SOFTWARE
from nacli.errors import WriteFailed
from nacli.files.outputs import Output
from nacli.format import Picture, pack_picture
from nacli.inspection.info import read_info
from nacli.jobs.decode_file import decode_file
from nacli.jobs.encode_file import encode_file
from nacli.jobs.options import DecodeOptions, EncodeOptions
from tag_helpers import KINDS, NAMES, USUAL, VALUES, read, write
from tagged_files import BACK, COVER, IN_WAV, SOUND, TAGS, make, pairs


@pytest.mark.parametrize(
    ("source", "target"), [*product(KINDS, [".flac", ".ogg", ".aiff", ".wav"])]
)
def test_tags_go_from_any_container_to_any(
    tmp_path: Path, model: Any, source: tuple[str, str], target: str
) -> None:
    path, nac, out = make(tmp_path / f"x{source[0]}", source[1]), tmp_path / "x.nac", tmp_path / "y"
    out = out.with_suffix(target)
    encoded = encode_file(str(path), str(nac), model, EncodeOptions(), lambda _: None)
    decoded = decode_file(
        str(nac), str(out), model, DecodeOptions(), lambda _: None, lambda _: None
    )
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
