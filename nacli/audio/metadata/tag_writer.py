"""Write tags and pictures into audio files, as far as their containers hold them.

The files are nacli's own outputs: unlike in `tag_reader`, a failure is an error.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nacli.audio.channel_mask import channel_mask, is_mask
from nacli.audio.metadata.id3 import to_frames
from nacli.audio.metadata.tag_reader import PICTURE_COMMENT
from nacli.audio.pcm import AudioInfo
from nacli.audio.wav_stream import fit_info
from nacli.errors import WriteFailed
from nacli.files.outputs import Output
from nacli.format import check_tag, unpack_picture

_FLAC_BLOCK_BYTES = 2**24 - 1
"""Largest metadata block of FLAC."""
_LIBSNDFILE_INFO_BYTES = 2000
"""Largest INFO list that libsndfile 1.2 writes; it loses longer ones."""
_TAG_OVERHEAD = 32
"""Largest number of bytes that a tag takes in a container beside its text."""


def fit_tags_of(container: str | None, info: AudioInfo) -> tuple[AudioInfo, tuple[str, ...]]:
    """Select the tags and the picture that a container can hold.

    Args:
        container: libsndfile's name of it, or None for a WAV stream.

    Returns: `info` with the selected tags and picture, and the names of those that are dropped.

    Raises `ValueError` for unsound tags.
    """
    names = {tag: check_tag(tag)[0] for tag in info.tags}
    picture = info.picture
    if container in (None, "WAV", "RF64"):
        room = [_LIBSNDFILE_INFO_BYTES] if container else []
        masks = _fitting_mask(info)
        tags, dropped = fit_info(tuple(tag for tag in info.tags if tag not in masks), *room)
        tags, picture = masks + tags, None
    else:
        unfit = {tag for tag in info.tags if container == "AIFF" and not _fits_id3(tag)}
        tags = tuple(tag for tag in info.tags if tag not in unfit)
        dropped = tuple(names[tag] for tag in info.tags if tag in unfit)
        if picture and container == "FLAC" and len(picture) > _FLAC_BLOCK_BYTES:
            picture = None
    if info.picture and not picture:
        dropped += (str(unpack_picture(info.picture)),)
    return replace(info, tags=tags, picture=picture), dropped


def _fitting_mask(info: AudioInfo) -> tuple[str, ...]:
    """Return the tag with the channel mask, if the mask fits the number of channels."""
    masks = tuple(filter(is_mask, info.tags))[:1]
    fits = (channel_mask(masks) or 0).bit_count() <= info.channels
    return masks if fits else ()


def _fits_id3(tag: str) -> bool:
    """Tell whether ID3, whose strings end with a zero, can hold the value."""
    _, value = check_tag(tag)
    return bool(value) and "\0" not in value


def tag_bytes(info: AudioInfo) -> int:
    """Return an upper bound of the bytes that tags and picture take in a file."""
    return sum(len(tag.encode()) + _TAG_OVERHEAD for tag in info.tags) + len(info.picture or b"")


def write_tags(output: Output, container: str, info: AudioInfo) -> None:
    """Add tags and picture to a finished audio file. Raises `WriteFailed`."""
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
        file.tags.append((PICTURE_COMMENT, base64.b64encode(info.picture).decode()))
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
"""Writers by container. WAV is not among them: libsndfile writes its tags before the samples."""
