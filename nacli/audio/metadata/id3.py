"""ID3v2 tags (id3.org's 2.2, 2.3 and 2.4) to Vorbis comments, and back to mutagen's frames.

nacli reads ID3 itself, since mutagen takes time in proportion to the square of the number of
frames, and unpacks compressed frames of any size: an input must not be able to keep nacli busy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nacli.audio.metadata.bounded_file import BoundedFile
from nacli.audio.metadata.collected import MAX_TAGS, CollectedTags
from nacli.format import MAX_TAGS_BYTES, Picture, check_tag

if TYPE_CHECKING:
    from mutagen.id3 import Frame

HEAD_BYTES = 10
"""Bytes of the header of a tag."""

_TEXTS = {
    "TIT2": "TITLE", "TPE1": "ARTIST", "TALB": "ALBUM", "TDRC": "DATE", "TYER": "DATE",
    "TRCK": "TRACKNUMBER", "TCON": "GENRE", "TCOP": "COPYRIGHT", "TPE2": "ALBUMARTIST",
    "TCOM": "COMPOSER", "TPOS": "DISCNUMBER", "TSRC": "ISRC", "TBPM": "BPM", "TEXT": "LYRICIST",
    "TPE3": "CONDUCTOR", "TPE4": "REMIXER", "TPUB": "LABEL", "TIT1": "GROUPING",
    "TIT3": "SUBTITLE", "TLAN": "LANGUAGE", "TMED": "MEDIA", "TSOP": "ARTISTSORT",
    "TSOA": "ALBUMSORT", "TSOT": "TITLESORT", "TSO2": "ALBUMARTISTSORT",
}  # fmt: skip
"""Text frames and the names of Vorbis comments for the same."""
_FRAMES = {name: frame for frame, name in _TEXTS.items() if frame != "TYER"}
_NAMES_OF_22 = {
    "TT2": "TIT2", "TP1": "TPE1", "TAL": "TALB", "TYE": "TYER", "TRK": "TRCK", "TCO": "TCON",
    "TCR": "TCOP", "TP2": "TPE2", "TCM": "TCOM", "TPA": "TPOS", "TRC": "TSRC", "TBP": "TBPM",
    "TXT": "TEXT", "TP3": "TPE3", "TP4": "TPE4", "TPB": "TPUB", "TT1": "TIT1", "TT3": "TIT3",
    "TLA": "TLAN", "TSS": "TSSE", "TXX": "TXXX", "COM": "COMM", "ULT": "USLT", "PIC": "APIC",
}  # fmt: skip
"""Frame names of version 2.2 and those of later versions for the same."""

_SOFTWARE = "TSSE"
"""The frame that names the encoder of the input. It is left out without a report."""
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
_CODED_GENRE = re.compile(r"\d+|RX|CR|\(.*", re.ASCII | re.DOTALL)
"""Genres that ID3 reads as the number of a genre."""
_MAX_GENRES = 100
"""Largest number of genres whose numbers are turned into names: mutagen's time for it grows with
the square."""


def tag_size(head: bytes) -> int:
    """Return the bytes of the ID3 tag that begins with `head`, or 0 if `head` begins no tag."""
    valid = len(head) >= HEAD_BYTES and head[:3] == b"ID3" and max(head[6:10]) < 0x80
    return HEAD_BYTES + _synchsafe(head[6:10]) if valid else 0


def read_id3(file: BoundedFile, at: int) -> CollectedTags:
    """Read the tag at an offset of a file. Raises `ValueError` if it is damaged."""
    file.seek(at)
    size = tag_size(file.read(HEAD_BYTES))
    file.seek(at)
    return parse_id3(file.read(size))


def parse_id3(data: bytes) -> CollectedTags:
    """Parse a whole ID3 tag. Raises `ValueError` if it is damaged."""
    version, flags = data[3], data[5]
    if version not in (2, 3, 4) or (version == 2 and flags & 0x40):
        raise ValueError(f"ID3v2.{version} with flags {flags:#x} is not known")
    body = data[HEAD_BYTES : tag_size(data)]
    if flags & 0x80 and version < 4:
        body = _resynchronised(body)
    if flags & 0x40:
        extended = int.from_bytes(body[:4], "big") + 4
        body = body[extended if version == 3 else _synchsafe(body[:4]) :]
    result = CollectedTags()
    for name, frame_flags, frame in _frames(body, version):
        try:
            content = _frame_content(frame, frame_flags, version, bool(flags & 0x80))
            kept = content is not None and _add(result, name, content, version)
        except (ValueError, IndexError):
            kept = False
        if not kept:
            result.dropped.append(f"ID3 {name}")
    return result


def _frames(body: bytes, version: int) -> Iterator[tuple[str, int, bytes]]:
    """Yield the name, the flags and the body of each frame, up to the padding."""
    width, head = (3, 6) if version == 2 else (4, 10)
    at = 0
    for _ in range(MAX_TAGS):
        if not _starts_frame(body, at, width):
            return
        name = body[at : at + width].decode("ascii")
        size = int.from_bytes(body[at + width : at + 2 * width], "big")
        if version == 4:
            size = _frame_size_24(body, at)
        flags = 0 if version == 2 else int.from_bytes(body[at + 8 : at + 10], "big")
        frame = body[at + head : at + head + size]
        if len(frame) < size:
            raise ValueError(f"the frame {name} is cut short")
        if frame:
            yield _NAMES_OF_22.get(name, name), flags, frame
        at += head + size
    raise ValueError(f"more than {MAX_TAGS} frames")


def _starts_frame(body: bytes, at: int, width: int = 4) -> bool:
    """Tell whether a frame name of `width` bytes is at `at`."""
    return re.fullmatch(rb"[A-Z0-9]+", body[at : at + width]) is not None


def _frame_size_24(body: bytes, at: int) -> int:
    """Return the size of the frame at `at` in a tag of version 2.4.

    The version has seven bits a byte, but iTunes wrote eight. The true size is followed by another
    frame, padding, or the end.
    """
    data = body[at + 4 : at + 8]
    seven_bits, eight_bits = _synchsafe(data), int.from_bytes(data, "big")
    end = at + HEAD_BYTES + seven_bits
    follows = end == len(body) or body[end : end + 1] == b"\0" or _starts_frame(body, end)
    return seven_bits if follows and max(data) < 0x80 else eight_bits


def _frame_content(frame: bytes, flags: int, version: int, unsynchronised: bool) -> bytes | None:
    """Return the content of a frame, or None if it is compressed, encrypted or grouped."""
    if version == 4:
        if flags & 0x4C:
            return None
        if flags & 0x01:
            frame = frame[4:]
        return _resynchronised(frame) if flags & 0x02 or unsynchronised else frame
    return None if flags & 0xE0 else frame


def _add(result: CollectedTags, name: str, content: bytes, version: int) -> bool:
    """Add a frame to `result`. Returns False if the frame cannot be kept."""
    encoding, rest = content[0], content[1:]
    if name == "APIC":
        result.pictures.append(_picture(rest, encoding, version))
        return True
    if len(content) > MAX_TAGS_BYTES:
        return False
    if name in _TEXTS:
        values = _texts(rest, encoding)
        result.add(_TEXTS[name], genres(values) if name == "TCON" else values)
        return True
    if name in ("TXXX", "COMM", "USLT"):
        label, *values = _texts(rest if name == "TXXX" else rest[3:], encoding, least=1)
        target = {"TXXX": label, "COMM": "" if label else "COMMENT", "USLT": "LYRICS"}[name]
        try:
            check_tag(f"{target}=")
        except ValueError:
            return False
        result.add(target, values)
        return True
    return name == _SOFTWARE


def _texts(data: bytes, encoding: int, least: int = 0) -> list[str]:
    """Split the text of a frame at zeros. Empty strings at its end are removed, down to `least`."""
    texts = _decode(data, encoding).split("\0")
    while len(texts) > least and not texts[-1]:
        texts.pop()
    return [text.removeprefix("\ufeff") for text in texts] if encoding == 1 else texts


def _decode(data: bytes, encoding: int) -> str:
    if encoding >= len(_ENCODINGS):
        raise ValueError(f"text encoding {encoding}")
    return data.decode(_ENCODINGS[encoding], "replace")


def genres(values: list[str]) -> list[str]:
    """Return genres as names; ID3 may have numbers for them."""
    if len(values) > _MAX_GENRES or not any(map(_CODED_GENRE.fullmatch, values)):
        return values
    from mutagen.id3 import TCON

    return list(TCON(encoding=3, text=values).genres)


def _picture(data: bytes, encoding: int, version: int) -> Picture:
    if version == 2:
        mime, data = data[:3], data[3:]
    else:
        mime, _, data = data.partition(b"\0")
    kind, data = data[0], data[1:]
    zero = bytes(2 if encoding in (1, 2) else 1)
    end = data.index(zero)
    while end % len(zero):
        end = data.index(zero, end + 1)
    (description,) = _texts(data[:end], encoding, least=1)
    data = data[end + len(zero) :]
    return Picture(kind, _mime(mime.decode("latin-1")), description, 0, 0, 0, 0, data)


def _mime(text: str) -> str:
    """Return a mime type; some files have only JPG or PNG. "-->" marks a link to the picture."""
    if "/" in text or text == "-->":
        return text
    return {"JPG": "image/jpeg", "": ""}.get(text.upper(), f"image/{text.lower()}")


def to_frames(tags: tuple[str, ...], picture: Picture | None) -> list[Frame]:
    """Return mutagen's frames that hold `tags` and `picture`."""
    from mutagen import id3

    values: dict[str, list[str]] = {}
    for tag in tags:
        name, value = check_tag(tag)
        upper = name.upper()
        values.setdefault(upper if upper in _FRAMES or upper in _LONG_TEXTS else name, []).append(
            value
        )
    frames: list[Frame] = []
    for name, texts in values.items():
        if name == "COMMENT":
            frames.append(id3.COMM(encoding=3, lang="XXX", desc="", text=texts))
        elif name == "LYRICS":
            frames += [
                id3.USLT(encoding=3, lang="XXX", desc=str(number or ""), text=text)
                for number, text in enumerate(texts)
            ]
        elif name in _FRAMES and all(_fits(name, text) for text in texts):
            frames.append(getattr(id3, _FRAMES[name])(encoding=3, text=texts))
        else:
            frames.append(id3.TXXX(encoding=3, desc=name, text=texts))
    if picture:
        kind = picture.kind if picture.kind <= 20 else 0
        mime, description = picture.mime, picture.description
        frames.append(
            id3.APIC(encoding=3, mime=mime, type=kind, desc=description, data=picture.data)
        )
    return frames


_LONG_TEXTS = ("COMMENT", "LYRICS")
"""Tags that have frames of their own kind, with a language."""


def _fits(name: str, text: str) -> bool:
    """Tell whether ID3 keeps `text` unchanged: it interprets dates and genres."""
    if name == "DATE":
        return _DATE.fullmatch(text) is not None
    return name != "GENRE" or not _CODED_GENRE.fullmatch(text)


def _synchsafe(data: bytes) -> int:
    """Return a big-endian integer with seven bits a byte."""
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


def _resynchronised(data: bytes) -> bytes:
    """Undo unsynchronisation: a zero was put after each 0xFF."""
    return data.replace(b"\xff\0", b"\xff")
