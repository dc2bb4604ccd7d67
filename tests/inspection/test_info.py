"""The properties of a file, and the sizes of its parts: every byte is counted once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nacli.cli.info_table import table
from nacli.errors import DamagedHeader, DamagedPacket, NotNac, UnreadableInput
from nacli.format import (
    JOINED,
    ChannelMode,
    EndRecord,
    Header,
    Packet,
    Picture,
    SampleFormat,
    StreamInfo,
    TableSection,
    pack_end,
    pack_header,
    pack_packet,
    pack_picture,
)
from nacli.inspection.info import FileInfo, check_info, read_info
from nacli.inspection.info_json import to_json

STREAM = StreamInfo(48_000, 2, ChannelMode.ROTATED, SampleFormat.PCM_24, 96_000, 320, 75, 16)
CODEBOOKS, ENTROPY = TableSection(b"codebook", b"inline"), TableSection(b"entropy.")
COVER = Picture(3, "image/png", "front", 8, 9, 24, 0, b"data")
HEADER = Header(STREAM, bytes(range(8)), CODEBOOKS, ENTROPY, ("A=1",), pack_picture(COVER))
PACKETS = [pack_packet(Packet(i, 75, (1, 2), bytes(100)), 75) for i in range(2)]
END = pack_end(EndRecord(96_000, 2, b"checksum"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.nac"


def inspect(path: Path, *parts: bytes) -> FileInfo:
    path.write_bytes(b"".join(parts))
    info = read_info(str(path))
    assert info.file_bytes == path.stat().st_size
    return info


def test_a_whole_file(path: Path) -> None:
    info = inspect(path, pack_header(HEADER), *PACKETS, END)
    assert (info.header, info.end) == (HEADER, EndRecord(96_000, 2, b"checksum"))
    assert (info.packets, info.frames, info.payload_bytes) == (2, 150, 200)
    assert info.header_bytes == len(pack_header(HEADER))
    assert info.framing_bytes == len(b"".join([*PACKETS, END])) - 200
    assert (info.damages, info.samples, info.seconds) == ([], 96_000, 2.0)
    audio = len(b"".join([*PACKETS, END]))  # neither header nor tags, tables and picture
    assert info.audio_bytes == audio
    assert info.kbps == pytest.approx(audio * 8 / 2000)
    assert (info.missing_seconds, info.missing_packets) == (0, 0)


def test_a_file_with_damage_and_no_end(path: Path) -> None:
    info = inspect(path, pack_header(HEADER), PACKETS[0], b"junk", PACKETS[1], b"cut")
    assert [(d.offset - info.header_bytes, d.length) for d in info.damages] == [
        (len(PACKETS[0]), 4),
        (len(PACKETS[0]) * 2 + 4, 3),
        (len(PACKETS[0]) * 2 + 7, 0),
    ]
    assert (info.end, info.damaged_bytes, info.frames) == (None, 7, 150)
    assert info.seconds == pytest.approx(149 * 320 / 24_000)  # what a decoder makes of them


def test_a_file_without_audio_has_no_bitrate(path: Path) -> None:
    unknown = replace(HEADER, stream=replace(STREAM, samples=None))
    info = inspect(path, pack_header(unknown), pack_end(EndRecord(0, 0, bytes(8))))
    assert (info.samples, info.seconds, info.kbps) == (0, 0, None)


def test_json_has_stable_names(path: Path) -> None:
    info = inspect(path, pack_header(HEADER), *PACKETS, b"?", END)
    values = json.loads(json.dumps(to_json(info)))
    bits = [
        values[name] for name in ("header_bits", "framing_bits", "payload_bits", "damaged_bits")
    ]
    assert sum(bits) == 8 * values["file_bytes"]
    size = 8 * len(PACKETS[0])
    assert values["packet_bits"] == {"min": size, "mean": size, "max": size}
    assert values["model"] == bytes(range(8)).hex() == "0001020304050607"
    assert values["codebooks"] == {"digest": b"codebook".hex(), "inline_bytes": 6}
    assert values["entropy"]["kind"] == "static"
    assert values["damages"][0]["length"] == 1
    assert values["end"]["check"] == b"checksum".hex()
    assert values["tags"] == ["A=1"]
    assert values["picture"] == {
        "type": 3, "mime": "image/png", "description": "front", "width": 8, "height": 9, "bytes": 4,
    }  # fmt: skip
    assert (values["channel_mode"], values["sample_format"]) == ("rotated", "PCM_24")
    assert list(values) == [
        "version", "sample_rate", "channels", "channel_mode", "sample_format", "samples",
        "seconds", "missing_seconds", "hop", "frames_per_packet", "stages", "model", "codebooks",
        "entropy", "tags", "picture", "packets", "missing_packets", "frames", "file_bytes", "kbps",
        "header_bits", "framing_bits", "payload_bits", "damaged_bits", "packet_bits", "damages",
        "end",
    ]  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
def test_a_cut_file_says_what_is_missing(path: Path, known: bool) -> None:
    samples = 10 * 48_000
    stream = replace(STREAM, samples=samples if known else None)
    packets = [pack_packet(Packet(i, 75, (1, 2), bytes(100)), 75) for i in range(6)]
    start = pack_header(replace(HEADER, stream=stream))
    info = inspect(path, start, *packets[:2], *packets[3:5], packets[5][:50])
    there = (5 * 75 - 1) * 320 / 24_000
    assert info.seconds == pytest.approx(there)
    text = table("x.nac", info)
    with pytest.raises(DamagedPacket) as error:
        check_info(info)
    if known:
        assert info.missing_seconds == pytest.approx(10 - there)
        assert info.missing_packets == 11 - 4  # 751 frames
        assert "4.987 s of 10.000 s (480000 samples), 5.013 s missing at the end" in text
        assert "(and 1 more place); 5.013 s of 10.000 s are missing" in str(error.value)
    else:
        assert (info.missing_seconds, info.missing_packets) == (None, 1)
        assert "4.987 s, of an unknown number of samples" in text and ", 1 missing" in text
    assert to_json(info)["missing_seconds"] == info.missing_seconds


def test_nouns_after_1_are_singular(path: Path) -> None:
    stream = replace(STREAM, channels=1, channel_mode=ChannelMode.MONO, samples=1)
    header = pack_header(replace(HEADER, stream=stream, picture=None))
    packet = pack_packet(Packet(0, 1, (1,), b""), 75)
    text = table("x", inspect(path, header, packet, b"?", END))
    for words in ("1 channel (", "1 frame, ", ", 1 byte: "):
        assert words in text
    assert not re.search(r"\b1 (channel|frame|byte|sample|place|packet)s", text)


def test_a_file_behind_another_is_named(path: Path) -> None:
    whole = b"".join([pack_header(HEADER), *PACKETS, END])
    info = inspect(path, whole, whole)
    assert [damage.reason for damage in info.damages] == [JOINED]
    assert (info.packets, info.damaged_bytes) == (2, len(whole))


def test_files_that_cannot_be_inspected(path: Path) -> None:
    with pytest.raises(UnreadableInput):
        read_info(str(path))
    with pytest.raises(NotNac):
        inspect(path, b"RIFF")
    with pytest.raises(DamagedHeader):
        inspect(path, pack_header(HEADER)[:-1])
