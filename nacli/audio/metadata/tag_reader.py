"""Read tags and pictures of audio files, whatever their container.

Inputs are not to be trusted: the sound of a file can be used however broken its tags are, so
reading never fails. `tag_writer` is the other direction.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable
from typing import Any

from nacli.audio.channel_mask import FLAC_MASKS, channel_mask, mask_tags
from nacli.audio.metadata.bounded_file import BoundedFile
from nacli.audio.metadata.chunked import read_aiff, read_caf, read_w64, read_wav
from nacli.audio.metadata.collected import UNREADABLE, CollectedTags
from nacli.audio.metadata.id3 import read_id3, tag_size
from nacli.audio.metadata.trailing import ID3V1_BYTES, parse_id3v1, read_ape
from nacli.format import unpack_picture

PICTURE_COMMENT = "METADATA_BLOCK_PICTURE"
"""Name of the comment that holds a picture in Ogg: a FLAC picture block in base64."""
_FLAC_BLOCKS = {2: "APPLICATION", 5: "CUESHEET"}
"""FLAC's metadata blocks that are not kept (RFC 9639, section 8)."""


def read_tags(descriptor: int) -> CollectedTags:
    """Read tags and pictures of an open file of any kind. Damaged tags raise nothing."""
    try:
        return _read(BoundedFile(descriptor))
    except Exception:  # damaged files make mutagen raise more than its own errors
        return CollectedTags(dropped=[UNREADABLE])


def _read(file: BoundedFile) -> CollectedTags:
    head = file.read(12)
    if size := tag_size(head):
        file.seek(size)
        if file.read(4) != b"fLaC":
            return _read_mpeg(file, size)
        file.seek(0)
        return _read_parts(lambda: _read_flac(file), lambda: read_id3(file, 0))
    file.seek(0)
    if head[:4] == b"fLaC":
        return _read_flac(file)
    if head[:4] == b"OggS":
        return _read_ogg(file)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        return read_wav(file)
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return read_aiff(file)
    if head[:4] == b"caff":
        return read_caf(file)
    if head[:4] == b"riff":
        return read_w64(file)
    return _read_mpeg(file, 0)


def _read_parts(*parts: Callable[[], CollectedTags]) -> CollectedTags:
    """Read several kinds of tags of one file. The first kind that has a name counts, and damage in
    one kind does not stop the others."""
    result = CollectedTags()
    for read in parts:
        try:
            result.join(read())
        except Exception:  # as in `read_tags`
            result.dropped.append(UNREADABLE)
    return result


def _read_mpeg(file: BoundedFile, id3_size: int) -> CollectedTags:
    """Read the tags of MP3: ID3v2 before the sound, APEv2 and ID3v1 after it."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(id3_size, end - ID3V1_BYTES))
    block = file.read(ID3V1_BYTES)
    ape_end = end - ID3V1_BYTES if block[:3] == b"TAG" else end
    return _read_parts(
        lambda: read_id3(file, 0) if id3_size else CollectedTags(),
        lambda: read_ape(file, ape_end),
        lambda: parse_id3v1(block),
    )


def _read_flac(source: BoundedFile) -> CollectedTags:
    from mutagen.flac import FLAC

    file: Any = FLAC(source)
    result = _from_comments(file.tags or ())
    for block in file.pictures:
        _add_picture(result, block.write())
    if channel_mask(result.tags) is None:
        result.tags += mask_tags(FLAC_MASKS.get(file.info.channels, 0))
    for block in file.metadata_blocks:
        if block.code in _FLAC_BLOCKS:
            result.dropped.append(f"FLAC {_FLAC_BLOCKS[block.code]}")
    return result


def _read_ogg(file: BoundedFile) -> CollectedTags:
    """Read the comments of Ogg Vorbis, Opus or FLAC.

    mutagen's whole-file classes would search the end of the file for its length, which can mean
    reading all of it.
    """
    from mutagen import oggflac, oggopus, oggvorbis

    kinds: dict[bytes, tuple[Any, Any]] = {
        b"\x01vorbis": (oggvorbis.OggVorbisInfo, oggvorbis.OggVCommentDict),
        b"OpusHead": (oggopus.OggOpusInfo, oggopus.OggOpusVComment),
        b"\x7fFLAC": (oggflac.OggFLACStreamInfo, oggflac.OggFLACVComment),
    }
    head = file.read(64)
    file.seek(0)
    for magic, (info, comments) in kinds.items():
        if magic in head:
            return _from_comments(comments(file, info(file)))
    return CollectedTags()


def _from_comments(comments: Iterable[tuple[str, str]]) -> CollectedTags:
    """Collect Vorbis comments, and the pictures among them."""
    result = CollectedTags()
    for name, value in comments:
        if name.upper() == PICTURE_COMMENT:
            _add_picture(result, value)
        else:
            result.add(name, [value])
    return result


def _add_picture(result: CollectedTags, block: bytes | str) -> None:
    """Add a FLAC picture block; a text is its base64."""
    try:
        body = base64.b64decode(block) if isinstance(block, str) else block
        result.pictures.append(unpack_picture(body))
    except ValueError:
        result.dropped.append("a picture that cannot be read")
