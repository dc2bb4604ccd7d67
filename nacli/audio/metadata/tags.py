"""Tags and pictures of audio files: the one door to mutagen.

Inputs are not to be trusted: whatever is wrong with their tags, their sound is still to be had, so
reading never fails. Outputs are nacli's own: there a failure is an error.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from nacli.audio.metadata.collected import Found
from nacli.audio.metadata.id3 import HEAD_BYTES, parse_id3, tag_size, to_frames
from nacli.audio.pcm import AudioInfo
from nacli.audio.wav_stream import MAX_INFO_BYTES, fit_info, parse_info
from nacli.errors import WriteFailed
from nacli.files.streams import Output
from nacli.format import check_tag, unpack_picture

_PICTURE = "METADATA_BLOCK_PICTURE"
"""The comment that holds a picture in Ogg: a FLAC picture block in base64."""
_FLAC_BLOCK_BYTES = 2**24 - 1
_LIBSNDFILE_INFO_BYTES = 2000
"""INFO chunks that libsndfile 1.2 writes; with more it loses them."""
_TAG_OVERHEAD = 32
_MAX_CHUNKS = 4096


class Front:
    """A file as the readers of tags see it: its descriptor stays where it is, and who has read more
    than tags can need gets a ValueError."""

    BUDGET = 64 << 20
    READ_COST = 1024

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._at, self._budget = descriptor, 0, self.BUDGET
        self._size = os.fstat(descriptor).st_size

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        size = left if size < 0 else min(size, left)
        self._budget -= size + self.READ_COST
        if self._budget < 0:
            raise ValueError("the tags are longer than any that are kept")
        data = os.pread(self._descriptor, size, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the start of the file")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at


def read_tags(descriptor: int) -> Found:
    """Tags and pictures of an open file, whatever it is; nothing is raised for damaged ones."""
    try:
        return _read(Front(descriptor))
    except Exception:  # mutagen's own errors are not all that damaged files make of it
        return Found(dropped=["tags that cannot be read"])


def _read(front: Front) -> Found:
    head = front.read(12)
    if size := tag_size(head):
        front.seek(size)
        if front.read(4) != b"fLaC":
            return _read_id3(front, 0)
        head = b"fLaC"
    front.seek(0)
    if head[:4] == b"fLaC":
        return _read_flac(front)
    if head[:4] == b"OggS":
        return _read_ogg(front)
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        return _read_wav(front)
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return _read_aiff(front)
    return Found()


def _read_flac(front: Front) -> Found:
    from mutagen.flac import FLAC

    file: Any = FLAC(front)
    found = _from_comments(file.tags or ())
    for block in file.pictures:
        _add_picture(found, block.write())
    return found


def _read_ogg(front: Front) -> Found:
    """Without mutagen's look at the end of the file, which may take it through all of it."""
    from mutagen import oggflac, oggopus, oggvorbis

    kinds: dict[bytes, tuple[Any, Any]] = {
        b"\x01vorbis": (oggvorbis.OggVorbisInfo, oggvorbis.OggVCommentDict),
        b"OpusHead": (oggopus.OggOpusInfo, oggopus.OggOpusVComment),
        b"\x7fFLAC": (oggflac.OggFLACStreamInfo, oggflac.OggFLACVComment),
    }
    head = front.read(64)
    front.seek(0)
    for mark, (info, comments) in kinds.items():
        if mark in head:
            return _from_comments(comments(front, info(front)))
    return Found()


def _from_comments(comments: Iterable[tuple[str, str]]) -> Found:
    found = Found()
    for name, value in comments:
        if name.upper() == _PICTURE:
            _add_picture(found, value)
        else:
            found.add(name, [value])
    return found


def _add_picture(found: Found, block: bytes | str) -> None:
    """Add a picture block, in base64 where it is text."""
    try:
        body = base64.b64decode(block) if isinstance(block, str) else block
        found.pictures.append(unpack_picture(body))
    except ValueError:
        found.dropped.append("a picture that cannot be read")


def _read_wav(front: Front) -> Found:
    """INFO chunks, and what only an ID3 chunk has."""
    found = Found()
    for name, size in _chunks(front, "little"):
        if name == b"LIST":
            tags, dropped = parse_info(front.read(min(size, MAX_INFO_BYTES)), size) or ((), ())
            found.tags += tags
            found.dropped += dropped
        elif name in (b"id3 ", b"ID3 "):
            _join(found, _read_id3(front, front.tell()))
    return found


def _join(found: Found, more: Found) -> None:
    """Add the tags whose names are new, and all else."""
    names = {check_tag(tag)[0].upper() for tag in found.tags}
    found.tags += [tag for tag in more.tags if check_tag(tag)[0].upper() not in names]
    found.pictures += more.pictures
    found.dropped += more.dropped


def _read_aiff(front: Front) -> Found:
    found = Found()
    for name, _ in _chunks(front, "big"):
        if name == b"ID3 ":
            _join(found, _read_id3(front, front.tell()))
    return found


def _chunks(front: Front, order: Any) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk of a RIFF or IFF file, which stands at its first byte then."""
    at, long_size = 12, 0
    for _ in range(_MAX_CHUNKS):
        front.seek(at)
        head = front.read(8)
        if len(head) < 8:
            return
        name, size = head[:4], int.from_bytes(head[4:], order)
        if name == b"ds64":
            long_size = int.from_bytes(front.read(16)[8:], order)
        elif name == b"data" and size == 0xFFFFFFFF:
            size = long_size
        yield name, size
        at += 8 + size + size % 2


def _read_id3(front: Front, at: int) -> Found:
    front.seek(at)
    size = tag_size(front.read(HEAD_BYTES))
    front.seek(at)
    return parse_id3(front.read(size))


def fit_tags_of(container: str | None, info: AudioInfo) -> tuple[AudioInfo, tuple[str, ...]]:
    """`info` with only those tags that a file of `container` (None: a WAV stream) holds, with only
    such a picture, and what is thereby dropped. Raises `ValueError` for unsound tags."""
    names = {tag: check_tag(tag)[0] for tag in info.tags}
    picture = info.picture
    if container in (None, "WAV", "RF64"):
        room = [_LIBSNDFILE_INFO_BYTES] if container else []
        tags, dropped = fit_info(info.tags, *room)
        picture = None
    else:
        unfit = {tag for tag in info.tags if container == "AIFF" and not _is_text(tag)}
        tags = tuple(tag for tag in info.tags if tag not in unfit)
        dropped = tuple(names[tag] for tag in info.tags if tag in unfit)
        if picture and container == "FLAC" and len(picture) > _FLAC_BLOCK_BYTES:
            picture = None
    if info.picture and not picture:
        dropped += (str(unpack_picture(info.picture)),)
    return replace(info, tags=tags, picture=picture), dropped


def _is_text(tag: str) -> bool:
    """Whether ID3, whose strings end with a zero, can hold the value."""
    _, value = check_tag(tag)
    return bool(value) and "\0" not in value


def tag_bytes(info: AudioInfo) -> int:
    """At least the bytes that tags and picture take in a file."""
    return sum(len(tag.encode()) + _TAG_OVERHEAD for tag in info.tags) + len(info.picture or b"")


def write_tags(output: Output, container: str, info: AudioInfo) -> None:
    """Put tags and picture into a finished audio file; `WriteFailed` where that fails."""
    if container not in _WRITERS or not (info.tags or info.picture):
        return
    try:
        output.seek(0)
        _WRITERS[container](output, info)
    except WriteFailed:
        raise
    except Exception as error:
        raise WriteFailed(f"{output.name}: its tags cannot be written: {error}") from error


def _write_flac(output: Output, info: AudioInfo) -> None:
    from mutagen.flac import FLAC, Picture

    file: Any = FLAC(output)
    if file.tags is None:
        file.add_tags()
    file.tags[:] = [check_tag(tag) for tag in info.tags]
    if info.picture:
        file.add_picture(Picture(info.picture))
    output.seek(0)
    file.save(output)


def _write_ogg(output: Output, info: AudioInfo) -> None:
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis

    file: Any = (OggOpus if info.sample_format == "OPUS" else OggVorbis)(output)
    file.tags[:] = [check_tag(tag) for tag in info.tags]
    if info.picture:
        file.tags.append((_PICTURE, base64.b64encode(info.picture).decode()))
    output.seek(0)
    file.save(output)


def _write_aiff(output: Output, info: AudioInfo) -> None:
    from mutagen.aiff import AIFF

    file: Any = AIFF(output)
    file.add_tags()
    for frame in to_frames(info.tags, unpack_picture(info.picture) if info.picture else None):
        file.tags.add(frame)
    output.seek(0)
    file.save(output)


_WRITERS: dict[str, Callable[[Output, AudioInfo], None]] = {
    "FLAC": _write_flac,
    "OGG": _write_ogg,
    "AIFF": _write_aiff,
}
"""WAV has its tags before its samples: libsndfile writes them."""
