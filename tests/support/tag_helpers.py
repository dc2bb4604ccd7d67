"""Files with tags for tests, and their parsed tags."""

from __future__ import annotations

import struct
from pathlib import Path

from hypothesis import strategies as st

from fake_model import make_model
from nacli.audio import AudioInfo, AudioReader, AudioWriter
from nacli.audio.metadata.collected import CollectedTags
from nacli.audio.metadata.tag_reader import read_tags
from tagged_files import SOUND

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


NAMES = st.text(
    st.characters(codec="ascii", exclude_characters="=~\x7f", min_codepoint=32), min_size=1
)


VALUES = st.text(st.characters(codec="utf-8"), max_size=60) | st.text("ab\0\n=()17", max_size=9)


USUAL = st.sampled_from(["TITLE", "Artist", "DATE", "GENRE", "COMMENT", "lyrics", "TRACKNUMBER"])


def tag_of(version: int, body: bytes, flags: int = 0) -> bytes:
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + body


def frame(name: bytes, body: bytes, flags: int = 0) -> bytes:
    return name + struct.pack(">IH", len(body), flags) + body


def read_bytes(folder: Path, data: bytes) -> CollectedTags:
    (folder / "hostile").write_bytes(data)
    with open(folder / "hostile", "rb") as file:
        return read_tags(file.fileno())
