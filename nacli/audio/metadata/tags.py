"""Tags and pictures of audio files: the one door to mutagen.

Inputs are not to be trusted: whatever is wrong with their tags, their sound is still to be had, so
reading never fails. Outputs are nacli's own: there a failure is an error.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nacli.audio.channel_mask import FLAC_MASKS, apple_mask, channel_mask, is_mask, mask_tags
from nacli.audio.metadata.collected import Found, legacy_text
from nacli.audio.metadata.id3 import HEAD_BYTES, parse_id3, tag_size, to_frames
from nacli.audio.metadata.trailing import (
    APE_FOOTER_BYTES,
    ID3V1_BYTES,
    ape_size,
    parse_ape,
    parse_id3v1,
)
from nacli.audio.pcm import AudioInfo
from nacli.audio.wav_stream import MAX_INFO_BYTES, fit_info, format_mask, parse_info, unkept
from nacli.errors import WriteFailed
from nacli.files.outputs import Output
from nacli.format import check_tag, unpack_picture

_PICTURE = "METADATA_BLOCK_PICTURE"
"""The comment that holds a picture in Ogg: a FLAC picture block in base64."""
_FLAC_BLOCK_BYTES = 2**24 - 1
_LIBSNDFILE_INFO_BYTES = 2000
"""INFO chunks that libsndfile 1.2 writes; with more it loses them."""
_TAG_OVERHEAD = 32
_MAX_CHUNKS = 4096
_FORMAT_BYTES = 40
_UNREADABLE = "tags that cannot be read"
_FLAC_BLOCKS = {2: "APPLICATION", 5: "CUESHEET"}
"""FLAC's metadata blocks that are not kept (RFC 9639, section 8)."""
_AIFF_TEXTS = {b"NAME": "TITLE", b"AUTH": "ARTIST", b"(c) ": "COPYRIGHT", b"ANNO": "COMMENT"}
_AIFF_NEEDLESS = (b"COMM", b"SSND", b"FVER", b"PEAK", b"JUNK")
_CAF_NEEDLESS = (b"desc", b"data", b"free", b"kuki", b"pakt", b"peak", b"info", b"strg")
"""Of these, libsndfile reads info and strg."""
_W64_NEEDLESS = (b"fmt ", b"data", b"fact", b"junk", b"levl")


@dataclass(frozen=True)
class _Form:
    """How a kind of file lays out its chunks: where the first begins, bytes of names and sizes,
    what chunks are aligned to, and whether sizes count the head of the chunk."""

    start: int
    order: Any
    name: int = 4
    size: int = 4
    align: int = 2
    counts_head: bool = False


_RIFF, _IFF = _Form(12, "little"), _Form(12, "big")
_CAF = _Form(8, "big", size=8, align=1)
_W64 = _Form(40, "little", name=16, size=8, align=8, counts_head=True)


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
        data = os.pread(self._descriptor, size, self._at) if size else b""
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
        return Found(dropped=[_UNREADABLE])


def _read(front: Front) -> Found:
    head = front.read(12)
    if size := tag_size(head):
        front.seek(size)
        if front.read(4) != b"fLaC":
            return _read_mpeg(front, size)
        front.seek(0)
        return _read_parts(lambda: _read_flac(front), lambda: _read_id3(front, 0))
    front.seek(0)
    if head[:4] == b"fLaC":
        return _read_flac(front)
    if head[:4] == b"OggS":
        return _read_ogg(front)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        return _read_wav(front)
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return _read_aiff(front)
    if head[:4] == b"caff":
        return _read_caf(front)
    if head[:4] == b"riff":
        return _read_w64(front)
    return _read_mpeg(front, 0)


def _read_parts(*parts: Callable[[], Found]) -> Found:
    """Several kinds of tags; the first that has a name counts, and each may be damaged."""
    found = Found()
    for read in parts:
        try:
            _join(found, read())
        except Exception:  # as in `read_tags`
            found.dropped.append(_UNREADABLE)
    return found


def _read_mpeg(front: Front, id3_size: int) -> Found:
    """The tags of MP3: ID3v2 before the sound, APEv2 and ID3v1 behind it."""
    end = front.seek(0, os.SEEK_END)
    front.seek(max(id3_size, end - ID3V1_BYTES))
    block = front.read(ID3V1_BYTES)
    ape_end = end - ID3V1_BYTES if block[:3] == b"TAG" else end
    return _read_parts(
        lambda: _read_id3(front, 0) if id3_size else Found(),
        lambda: _read_ape(front, ape_end),
        lambda: parse_id3v1(block),
    )


def _read_ape(front: Front, end: int) -> Found:
    front.seek(max(0, end - APE_FOOTER_BYTES))
    size = ape_size(front.read(APE_FOOTER_BYTES))
    if not size:
        return Found()
    front.seek(end - size)
    return parse_ape(front.read(size))


def _read_flac(front: Front) -> Found:
    from mutagen.flac import FLAC

    file: Any = FLAC(front)
    found = _from_comments(file.tags or ())
    for block in file.pictures:
        _add_picture(found, block.write())
    if channel_mask(found.tags) is None:
        found.tags += mask_tags(FLAC_MASKS.get(file.info.channels, 0))
    for block in file.metadata_blocks:
        if block.code in _FLAC_BLOCKS:
            found.dropped.append(f"FLAC {_FLAC_BLOCKS[block.code]}")
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
    """The channel mask, INFO chunks, and what only an ID3 chunk has."""
    found = Found()
    for name, size in _chunks(front, _RIFF):
        if name == b"fmt ":
            found.tags += mask_tags(format_mask(front.read(min(size, _FORMAT_BYTES))))
        elif name in (b"id3 ", b"ID3 "):
            _join(found, _read_id3(front, front.tell()))
        elif name == b"LIST":
            body = front.read(min(size, MAX_INFO_BYTES))
            tags, dropped = parse_info(body, size) or ((), unkept(name, body))
            found.tags += tags
            found.dropped += dropped
        else:
            found.dropped += unkept(name, b"")
    return found


def _join(found: Found, more: Found) -> None:
    """Add the tags whose names are new, and all else."""
    names = {check_tag(tag)[0].upper() for tag in found.tags}
    found.tags += [tag for tag in more.tags if check_tag(tag)[0].upper() not in names]
    found.pictures += more.pictures
    found.dropped += more.dropped


def _read_aiff(front: Front) -> Found:
    """What ID3 has, what text chunks have beside it, and the channel mask."""
    found, texts = Found(), Found()
    for name, size in _chunks(front, _IFF):
        if name == b"ID3 ":
            _join(found, _read_id3(front, front.tell()))
        elif name in _AIFF_TEXTS:
            text = legacy_text(front.read(min(size, MAX_INFO_BYTES))).rstrip("\0 ")
            texts.add(_AIFF_TEXTS[name], [text] if text else [])
        elif name == b"CHAN" and (mask := apple_mask(front.read(min(size, 8)))) is not None:
            texts.tags += mask_tags(mask)
        elif name not in _AIFF_NEEDLESS:
            found.dropped.append(f"AIFF {name.decode('ascii').strip()}")
    _join(found, texts)
    return found


def _read_caf(front: Front) -> Found:
    """The channel mask, and the names of what is lost; the texts are read by libsndfile."""
    found = Found()
    for name, size in _chunks(front, _CAF):
        if name == b"chan" and (mask := apple_mask(front.read(min(size, 8)))) is not None:
            found.tags += mask_tags(mask)
        elif name not in _CAF_NEEDLESS:
            found.dropped.append(f"CAF {name.decode('ascii').strip()}")
    return found


def _read_w64(front: Front) -> Found:
    """The channel mask, and the names of what is lost."""
    found = Found()
    for name, size in _chunks(front, _W64):
        if name == b"fmt ":
            found.tags += mask_tags(format_mask(front.read(min(size, _FORMAT_BYTES))))
        elif name not in _W64_NEEDLESS:
            found.dropped.append(f"W64 {name.decode('ascii').strip()}")
    return found


def _chunks(front: Front, form: _Form) -> Iterator[tuple[bytes, int]]:
    """The first four bytes of the name, and the size, of each chunk, at whose content the file
    stands then."""
    at, long_size, head_size = form.start, 0, form.name + form.size
    for _ in range(_MAX_CHUNKS):
        front.seek(at)
        head = front.read(head_size)
        if len(head) < head_size:
            return
        name, size = head[:4], int.from_bytes(head[form.name :], form.order)
        size = max(0, size - form.counts_head * head_size)
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return  # no chunk: what follows a damaged one, or sound whose length is not known
        if name == b"ds64":
            long_size = int.from_bytes(front.read(16)[8:], form.order)
        elif name == b"data" and size == 0xFFFFFFFF:
            size = long_size
        yield name, size
        at += head_size + size + -size % form.align


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
        layout = _layout(info)
        tags, dropped = fit_info(tuple(tag for tag in info.tags if tag not in layout), *room)
        tags, picture = layout + tags, None
    else:
        unfit = {tag for tag in info.tags if container == "AIFF" and not _is_text(tag)}
        tags = tuple(tag for tag in info.tags if tag not in unfit)
        dropped = tuple(names[tag] for tag in info.tags if tag in unfit)
        if picture and container == "FLAC" and len(picture) > _FLAC_BLOCK_BYTES:
            picture = None
    if info.picture and not picture:
        dropped += (str(unpack_picture(info.picture)),)
    return replace(info, tags=tags, picture=picture), dropped


def _layout(info: AudioInfo) -> tuple[str, ...]:
    """The channel mask among the tags, if it fits the channels."""
    layout = tuple(filter(is_mask, info.tags))[:1]
    fits = (channel_mask(layout) or 0).bit_count() <= info.channels
    return layout if fits else ()


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
