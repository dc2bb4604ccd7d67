"""Channel masks go along from container to container; blocks that cannot are named."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC, MetadataBlock

from commands import FAKE, run
from nacli.audio import AudioInfo, AudioReader, AudioWriter
from nacli.audio.channel_mask import CHANNEL_MASK, apple_mask, channel_mask, mask_tags
from nacli.audio.metadata.tag_reader import read_tags
from nacli.inspection.info import read_info

RATE = 16_000
SIDE = f"{CHANNEL_MASK}=0x060F"
"""5.1 with speakers at the sides."""


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def wav(mask: int, channels: int = 6, before: bytes = b"", behind: bytes = b"") -> bytes:
    """A tenth of a second of 16-bit WAVE_FORMAT_EXTENSIBLE, with chunks around fmt and data."""
    align = 2 * channels
    body = struct.pack("<HHIIHHHHI", 0xFFFE, channels, RATE, RATE * align, align, 16, 22, 16, mask)
    body += bytes.fromhex("0100000000001000800000aa00389b71")
    sound = np.random.default_rng(0).integers(-5000, 5000, RATE // 10 * channels, np.int16)
    chunks = before + chunk(b"fmt ", body) + chunk(b"data", sound.astype("<i2").tobytes()) + behind
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def mask_of(data: bytes) -> int | None:
    """What other programs find in the header of a WAV file."""
    at = data.index(b"fmt ") + 8
    (kind,) = struct.unpack_from("<H", data, at)
    return struct.unpack_from("<I", data, at + 20)[0] if kind == 0xFFFE else None


def test_a_mask_goes_through_files_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(0x60F))
    assert run(FAKE, "encode", "x.wav", cwd=tmp_path).returncode == 0
    nac = (tmp_path / "x.nac").read_bytes()
    assert run(FAKE, "encode", "-", cwd=tmp_path, stdin=wav(0x60F)).stdout == nac
    assert read_info(str(tmp_path / "x.nac")).header.tags == (SIDE,)
    done = run(FAKE, "decode", "x.nac", "-o", "y.wav", cwd=tmp_path)
    assert b"dropped" not in done.stderr
    assert mask_of((tmp_path / "y.wav").read_bytes()) == 0x60F
    assert soundfile.info(tmp_path / "y.wav").frames == RATE // 10
    piped = run(FAKE, "decode", "--no-tags", "-", cwd=tmp_path, stdin=nac)
    assert (mask_of(piped.stdout), b"dropped" in piped.stderr) == (0x60F, False)
    run(FAKE, "decode", "x.nac", "-o", "y.flac", cwd=tmp_path)
    file: Any = FLAC(tmp_path / "y.flac")
    assert file.tags[CHANNEL_MASK] == ["0x060F"]


def test_no_tags_keeps_the_mask_alone(tmp_path: Path) -> None:
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"A title\0"))
    (tmp_path / "x.wav").write_bytes(wav(0x60F, behind=info))
    for tags, wanted in ((True, (SIDE, "TITLE=A title")), (False, (SIDE,))):
        with AudioReader(str(tmp_path / "x.wav"), tags=tags) as reader:
            assert reader.info.tags == wanted


@pytest.mark.parametrize("sample_format", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_wav_with_mask_and_tags_reads_back(tmp_path: Path, sample_format: str) -> None:
    tags = (SIDE, "TITLE=Grüße")
    info = AudioInfo(RATE, 6, sample_format, 100, tags)
    with AudioWriter(str(tmp_path / "x.wav"), info) as writer:
        writer.write(np.zeros((100, 6), np.float32))
    assert writer.dropped == ()
    with AudioReader(str(tmp_path / "x.wav")) as reader:
        assert reader.info == info


@pytest.mark.parametrize("tag", ["0x060F", "60F", "0x", "0x123456789", "x"])
def test_a_mask_that_does_not_fit_is_named(tmp_path: Path, tag: str) -> None:
    info = AudioInfo(RATE, 1, "PCM_16", 10, (f"{CHANNEL_MASK}={tag}",))
    with AudioWriter(str(tmp_path / "x.wav"), info) as writer:
        writer.write(np.zeros((10, 1), np.float32))
    assert writer.dropped == (CHANNEL_MASK,)
    assert mask_of((tmp_path / "x.wav").read_bytes()) is None


def test_masks_that_say_nothing_are_no_tags() -> None:
    assert mask_tags(0x3) == mask_tags(0x4) == mask_tags(0) == []
    assert channel_mask(["TITLE=x", f"{CHANNEL_MASK.lower()}=0x3f"]) == 0x3F
    assert apple_mask(struct.pack(">III", 1 << 16, 0x60F, 0)) == 0x60F
    assert apple_mask(struct.pack(">III", (121 << 16) + 6, 0, 0)) == 0x3F
    assert apple_mask(struct.pack(">III", 1, 0, 0)) is apple_mask(b"") is None


def test_flac_has_the_mask_of_its_specification(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", np.zeros((100, 6)), RATE)
    with AudioReader(str(tmp_path / "x.flac")) as reader:
        assert reader.info.tags == (f"{CHANNEL_MASK}=0x003F",)
    file: Any = FLAC(tmp_path / "x.flac")
    file.tags[CHANNEL_MASK] = ["0x060F"]
    file.save()
    with AudioReader(str(tmp_path / "x.flac")) as reader:
        assert reader.info.tags == (SIDE,)


def iff(kind: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack(">I", len(text)) + text + bytes(len(text) % 2) for name, text in chunks
    )
    return b"FORM" + struct.pack(">I", 4 + len(body)) + kind + body


def found_in(folder: Path, data: bytes) -> tuple[list[str], list[str]]:
    (folder / "x").write_bytes(data)
    with open(folder / "x", "rb") as file:
        found = read_tags(file.fileno())
    return found.tags, found.dropped


def test_masks_and_texts_of_other_containers(tmp_path: Path) -> None:
    layout = struct.pack(">III", 1 << 16, 0x60F, 0)
    chunks = [(b"COMM", bytes(18)), (b"CHAN", layout), (b"NAME", b"T\xeft"), (b"MARK", b"\0\0")]
    assert found_in(tmp_path, iff(b"AIFF", *chunks)) == ([SIDE, "TITLE=Tït"], ["AIFF MARK"])
    caf = b"caff\0\1\0\0" + b"".join(
        name + struct.pack(">q", len(body)) + body
        for name, body in ((b"desc", bytes(32)), (b"chan", layout), (b"mark", b"12345"))
    )
    assert found_in(tmp_path, caf + b"data" + struct.pack(">q", -1)) == ([SIDE], ["CAF mark"])
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    whole = wav(0x60F)
    form = whole[20:60]
    w64 = b"riff" + bytes(20) + b"wave" + bytes(12)
    for name, body in ((b"fmt ", form), (b"bext", b"123"), (b"data", b"")):
        w64 += name + guid + struct.pack("<q", 24 + len(body)) + body + bytes(-len(body) % 8)
    assert found_in(tmp_path, w64) == ([SIDE], ["W64 bext"])


def test_chunks_of_wav_that_are_lost_are_named(tmp_path: Path) -> None:
    labels = chunk(b"LIST", b"adtl" + chunk(b"labl", b"\1\0\0\0hi\0"))
    before = chunk(b"bext", bytes(603)) + chunk(b"JUNK", bytes(7)) + chunk(b"cue ", bytes(28))
    behind = chunk(b"smpl", bytes(36)) + labels + chunk(b"PAD ", bytes(16))
    data = wav(0x60F, before=before, behind=behind)
    (tmp_path / "x.wav").write_bytes(data)
    lines = run(FAKE, "encode", "x.wav", cwd=tmp_path).stderr.decode().splitlines()
    named = "WAV bext, WAV cue, WAV smpl, WAV LIST adtl"
    assert lines[1:] == [f"x.wav -> x.nac  dropped: {named}"]
    said = run(FAKE, "encode", "-", "-o", "y.nac", cwd=tmp_path, stdin=data).stderr.decode()
    assert "dropped: WAV bext, WAV cue" in said
    assert "JUNK" not in said


def test_sound_of_unknown_length_is_not_taken_for_chunks(tmp_path: Path) -> None:
    data = wav(0x60F)
    at = data.index(b"data")
    assert found_in(tmp_path, data[: at + 4] + bytes(4) + data[at + 8 :]) == ([SIDE], [])


def test_blocks_of_flac_that_are_lost_are_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", np.zeros(100), RATE)
    file: Any = FLAC(tmp_path / "x.flac")
    for code, body in ((2, b"riff1234"), (5, bytes(396))):
        block: Any = MetadataBlock(body)
        block.code = code
        file.metadata_blocks.append(block)
    file.save()
    _, dropped = found_in(tmp_path, (tmp_path / "x.flac").read_bytes())
    assert dropped == ["FLAC APPLICATION", "FLAC CUESHEET"]


def test_id3_before_flac_adds_what_the_comments_lack(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", np.zeros(100), RATE)
    file: Any = FLAC(tmp_path / "x.flac")
    file.tags["TITLE"] = ["of FLAC"]
    file.save()
    frames = b"".join(
        name + struct.pack(">IH", len(text) + 1, 0) + b"\0" + text
        for name, text in ((b"TIT2", b"of ID3"), (b"TALB", b"An album"))
    )
    id3 = b"ID3\3\0\0\0\0" + bytes([len(frames) >> 7, len(frames) & 0x7F]) + frames
    tags, _ = found_in(tmp_path, id3 + (tmp_path / "x.flac").read_bytes())
    assert tags == ["TITLE=of FLAC", "ALBUM=An album"]
