"""WAV headers of a stream: read and written in one pass, with lengths that may be unknown.

Layout: RIFF WAVE as in Microsoft's "Multiple Channel Audio Data and WAVE Files"; RF64 as in
EBU Tech 3306.
"""

from __future__ import annotations

import struct

from nacli.audio.pcm import SAMPLE_BYTES, AudioInfo, Pushback, sample_size

WAV_FORMATS = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")

INFO_TAGS = {
    "TITLE": b"INAM",
    "ARTIST": b"IART",
    "ALBUM": b"IPRD",
    "DATE": b"ICRD",
    "COMMENT": b"ICMT",
    "GENRE": b"IGNR",
    "TRACKNUMBER": b"ITRK",
    "COPYRIGHT": b"ICOP",
}
"""Vorbis comment names and the WAV INFO chunks that hold the same, in the order of tags."""

_SOFTWARE = b"ISFT"
"""What wrote the file which is read; it would be wrong in any other."""
_INFO_OVERHEAD = 10
"""Most bytes of an INFO chunk beside its text: name, length, zero byte, padding."""

_PCM, _IEEE_FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FORMATS = {
    (_PCM, 1): "PCM_U8",
    (_PCM, 2): "PCM_16",
    (_PCM, 3): "PCM_24",
    (_PCM, 4): "PCM_32",
    (_IEEE_FLOAT, 4): "FLOAT",
    (_IEEE_FLOAT, 8): "DOUBLE",
}
_GUID_TAIL = bytes.fromhex("0000000010008000 00aa00389b71")
_UNKNOWN = 0xFFFFFFFF
_MAX_KEPT = 1 << 20
MAX_INFO_BYTES = 1 << 16
"""Bytes of tags that are read or written; the text of a damaged one may be three times as long in
UTF-8."""
_SKIP = 1 << 16


def write_header(info: AudioInfo) -> bytes:
    """Everything before the samples of a WAV stream; `read_header` in reverse.

    Where the length is unknown or over 4 GiB, all lengths that depend on it are 0xFFFFFFFF.
    """
    tag = _PCM if info.sample_format.startswith("PCM") else _IEEE_FLOAT
    width, align, rate = SAMPLE_BYTES[info.sample_format], sample_size(info), info.sample_rate
    format_body = struct.pack("<HHIIHH", tag, info.channels, rate, rate * align, align, 8 * width)
    chunks = _chunk(b"fmt ", format_body)
    if tag == _IEEE_FLOAT:
        samples = _UNKNOWN if info.samples is None else min(info.samples, _UNKNOWN)
        chunks += _chunk(b"fact", struct.pack("<I", samples))
    chunks += _pack_tags(info.tags)
    size = _UNKNOWN if info.samples is None else info.samples * align
    whole = 4 + len(chunks) + 8 + size + size % 2
    if whole > _UNKNOWN:
        size = whole = _UNKNOWN
    riff = struct.pack("<4sI4s", b"RIFF", whole, b"WAVE")
    return riff + chunks + struct.pack("<4sI", b"data", size)


def read_header(source: Pushback) -> AudioInfo | None:
    """Read up to the first sample of a WAV stream; None, with nothing read, if it is no WAV whose
    samples `PcmStream` reads.

    A data length that writers use for "unknown" (0, about 2 GiB, about 4 GiB) gives samples None.
    Raises EOFError if the stream ends inside the header.
    """
    taken = bytearray()
    body, long_size = _find_format(source, taken)
    layout = _parse_format(body)
    if layout is None:
        source.unread(bytes(taken))
        return None
    size, tags, dropped = _find_data(source)
    if size == _UNKNOWN and long_size is not None:
        size = long_size
    first = source.read(1)
    source.unread(first)
    samples: int | None = size // (layout[1] * SAMPLE_BYTES[layout[2]])
    if not first:
        samples = 0
    elif _is_placeholder(size):
        samples = None
    return AudioInfo(*layout, samples, tags, dropped=dropped)


def _find_format(source: Pushback, taken: bytearray) -> tuple[bytes, int | None]:
    """The body of the fmt chunk (empty if there is none) and the 64-bit data length of an RF64
    file; what was read for it is added to `taken`."""

    def take(size: int) -> bytes:
        data = source.read(size)
        taken.extend(data)
        return data

    riff, long_size = take(12), None
    is_wav = riff[:4] in (b"RIFF", b"RF64") and riff[8:] == b"WAVE"
    while is_wav:
        name, size = _chunk_head(take(8))
        if not name or size + len(taken) > _MAX_KEPT:
            break
        body = take(size + size % 2)
        if name == b"fmt ":
            return body, long_size
        if name == b"ds64":
            long_size = int.from_bytes(body[8:16], "little")
    return b"", None


def _is_placeholder(size: int) -> bool:
    """Whether writers use this data length for "unknown": ffmpeg -1, sox 0x7ffff000, arecord 2^31,
    gstreamer 0, some of them less the header."""
    near_2_gib = 0x7FFFEF00 <= size <= 0x80000000
    near_4_gib = 0xFFFFEF00 <= size <= _UNKNOWN
    return size in (0, 2**64 - 1) or near_2_gib or near_4_gib


def _chunk_head(head: bytes) -> tuple[bytes, int]:
    return (head[:4], int.from_bytes(head[4:], "little")) if len(head) == 8 else (b"", 0)


def _parse_format(body: bytes) -> tuple[int, int, str] | None:
    """Sample rate, channels and sample format of a fmt chunk; None if it is not for us."""
    if len(body) < 16:
        return None
    tag, channels, rate, _, align, _ = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and body[26:40] == _GUID_TAIL:
        tag = int.from_bytes(body[24:26], "little")
    if not channels or align % channels:
        return None
    sample_format = _FORMATS.get((tag, align // channels))
    return (rate, channels, sample_format) if sample_format else None


def _find_data(source: Pushback) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Skip to the samples: the data length, and what `parse_info` finds on the way."""
    tags: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    while True:
        name, size = _chunk_head(source.read(8))
        if not name:
            raise EOFError("the WAV header is cut short")
        if name == b"data":
            return size, tags, dropped
        body = source.read(min(size, MAX_INFO_BYTES)) if name == b"LIST" else b""
        tags, dropped = parse_info(body, size) or (tags, dropped)
        _skip(source, size + size % 2 - len(body))


def _skip(source: Pushback, size: int) -> None:
    while size and (skipped := len(source.read(min(size, _SKIP)))):
        size -= skipped


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def fit_info(
    tags: tuple[str, ...], room: int = MAX_INFO_BYTES - 4
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags that INFO chunks of `room` bytes hold, and the names of the others."""
    kept: dict[str, str] = {}
    dropped = []
    for tag in tags:
        name, _, value = tag.partition("=")
        upper, size = name.upper(), len(value.encode()) + _INFO_OVERHEAD
        if upper in kept:
            dropped.append(f"another {name}")
        elif upper not in INFO_TAGS or not value or "\0" in value or size > room:
            dropped.append(name)
        else:
            kept[upper] = f"{upper}={value}"
            room -= size
    return tuple(kept.values()), tuple(dropped)


def _pack_tags(tags: tuple[str, ...]) -> bytes:
    chunks = b""
    for tag in fit_info(tags)[0]:
        name, _, value = tag.partition("=")
        chunks += _chunk(INFO_TAGS[name], value.encode() + b"\0")
    return _chunk(b"LIST", b"INFO" + chunks) if chunks else b""


def parse_info(body: bytes, size: int) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The tags of a LIST chunk of `size` bytes, of which `body` are the first `MAX_INFO_BYTES`, and
    the names of those that have no like among Vorbis comments; None for lists of other things."""
    if body[:4] != b"INFO":
        return None
    if size > MAX_INFO_BYTES:
        return (), (f"INFO tags of {size} bytes",)
    values: dict[bytes, str] = {}
    at = 4
    while at < len(body):
        name, size = _chunk_head(body[at : at + 8])
        text = body[at + 8 : at + 8 + size].split(b"\0")[0].decode("utf-8", "replace")
        if text:
            values[name] = text
        at += 8 + size + size % 2
    tags = tuple(f"{tag}={values.pop(name)}" for tag, name in INFO_TAGS.items() if name in values)
    values.pop(_SOFTWARE, None)
    return tags, tuple(f"INFO {name.decode('latin-1')}" for name in values)
