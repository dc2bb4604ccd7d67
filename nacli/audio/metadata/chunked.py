"""Tags of files that consist of chunks: WAV, AIFF, CAF and Wave64."""

from __future__ import annotations

from collections.abc import Iterator

from nacli.audio.channel_mask import apple_mask, mask_tags
from nacli.audio.metadata.bounded_file import BoundedFile
from nacli.audio.metadata.collected import CollectedTags, legacy_text
from nacli.audio.metadata.id3 import read_id3
from nacli.audio.parsing.chunk_formats import CAF, IFF, RIFF, W64, ChunkFormat
from nacli.audio.parsing.lengths import UNKNOWN
from nacli.audio.wav_stream import MAX_INFO_BYTES, dropped_chunk, format_mask, parse_info

_MAX_CHUNKS = 4096
_FORMAT_BYTES = 40
"""Bytes of a fmt chunk up to the end of WAVE_FORMAT_EXTENSIBLE."""
_AIFF_TEXTS = {b"NAME": "TITLE", b"AUTH": "ARTIST", b"(c) ": "COPYRIGHT", b"ANNO": "COMMENT"}
"""Text chunks of AIFF and the names of Vorbis comments for the same."""
_AIFF_NEEDLESS = (b"COMM", b"SSND", b"FVER", b"PEAK", b"JUNK")
_CAF_NEEDLESS = (b"desc", b"data", b"free", b"kuki", b"pakt", b"peak", b"info", b"strg")
_W64_NEEDLESS = (b"fmt ", b"data", b"fact", b"junk", b"levl")
"""Chunks whose loss is not reported: they describe only the samples, or libsndfile reads them (the
info and strg chunks of CAF)."""


def read_wav(file: BoundedFile) -> CollectedTags:
    """Read the channel mask, INFO chunks, and the tags that only an ID3 chunk has."""
    result = CollectedTags()
    for name, size in _chunks(file, RIFF):
        if name == b"fmt ":
            result.tags += mask_tags(format_mask(file.read(min(size, _FORMAT_BYTES))))
        elif name in (b"id3 ", b"ID3 "):
            result.join(read_id3(file, file.tell()))
        elif name == b"LIST":
            body = file.read(min(size, MAX_INFO_BYTES))
            tags, dropped = parse_info(body, size) or ((), dropped_chunk(name, body))
            result.tags += tags
            result.dropped += dropped
        else:
            result.dropped += dropped_chunk(name, b"")
    return result


def read_aiff(file: BoundedFile) -> CollectedTags:
    """Read the ID3 chunk, then the text chunks that add to it, and the channel mask."""
    result, texts = CollectedTags(), CollectedTags()
    for name, size in _chunks(file, IFF):
        if name == b"ID3 ":
            result.join(read_id3(file, file.tell()))
        elif name in _AIFF_TEXTS:
            text = legacy_text(file.read(min(size, MAX_INFO_BYTES))).rstrip("\0 ")
            texts.add(_AIFF_TEXTS[name], [text] if text else [])
        elif name == b"CHAN" and (mask := apple_mask(file.read(min(size, 8)))) is not None:
            texts.tags += mask_tags(mask)
        elif name not in _AIFF_NEEDLESS:
            result.dropped.append(f"AIFF {name.decode('ascii').strip()}")
    result.join(texts)
    return result


def read_caf(file: BoundedFile) -> CollectedTags:
    """Read the channel mask and the names of dropped chunks. libsndfile reads the texts."""
    result = CollectedTags()
    for name, size in _chunks(file, CAF):
        if name == b"chan" and (mask := apple_mask(file.read(min(size, 8)))) is not None:
            result.tags += mask_tags(mask)
        elif name not in _CAF_NEEDLESS:
            result.dropped.append(f"CAF {name.decode('ascii').strip()}")
    return result


def read_w64(file: BoundedFile) -> CollectedTags:
    """Read the channel mask and the names of dropped chunks."""
    result = CollectedTags()
    for name, size in _chunks(file, W64):
        if name == b"fmt ":
            result.tags += mask_tags(format_mask(file.read(min(size, _FORMAT_BYTES))))
        elif name not in _W64_NEEDLESS:
            result.dropped.append(f"W64 {name.decode('ascii').strip()}")
    return result


def _chunks(file: BoundedFile, layout: ChunkFormat) -> Iterator[tuple[bytes, int]]:
    """Yield the first four bytes of the name, and the size, of each chunk. The file is at the body
    of the chunk then."""
    at, long_size = layout.first, 0
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(layout.head_bytes)
        if len(head) < layout.head_bytes:
            return
        name, size = head[:4], int.from_bytes(head[layout.name_bytes :], layout.order)
        size = max(0, size - layout.head_in_size)
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return  # no chunk: bytes after a damaged chunk, or samples of unknown length
        if name == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], layout.order)
        elif name == b"data" and size == UNKNOWN:
            size = long_size
        yield name, size
        at += layout.head_bytes + size + -size % layout.align
