"""Read and write WAV headers of a stream in one pass, with lengths that may be unknown.

Layout: RIFF WAVE as in Microsoft's "Multiple Channel Audio Data and WAVE Files"; RF64 as in
EBU Tech 3306, BW64 as in Rec. ITU-R BS.2088.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from nacli.audio.channel_mask import channel_mask, mask_tags
from nacli.audio.metadata.collected import legacy_text
from nacli.audio.parsing.lengths import UNKNOWN, begins_chunk, is_placeholder
from nacli.audio.pcm import SAMPLE_BYTES, AudioInfo, Pushback, sample_size

RIFF_MAGICS = (b"RIFF", b"RF64", b"BW64")
WAV_FORMATS = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
"""Sample formats that WAV holds uncompressed."""

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
"""Name of the program that wrote the input. It would be wrong in the output."""
_INFO_OVERHEAD = 10
"""Largest number of bytes of an INFO chunk beside its text: name, length, zero byte, padding."""

_PCM, _IEEE_FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
"""Format tags: WAVE_FORMAT_PCM, WAVE_FORMAT_IEEE_FLOAT, WAVE_FORMAT_EXTENSIBLE."""
_FORMATS = {
    (_PCM, 1): "PCM_U8",
    (_PCM, 2): "PCM_16",
    (_PCM, 3): "PCM_24",
    (_PCM, 4): "PCM_32",
    (_IEEE_FLOAT, 4): "FLOAT",
    (_IEEE_FLOAT, 8): "DOUBLE",
}
"""Sample formats by format tag and bytes of a sample."""
_NEEDLESS = {b"fmt ", b"data", b"fact", b"ds64", b"PEAK", b"JUNK", b"junk", b"FLLR", b"PAD "}
"""Chunks whose loss is not reported: padding, and chunks that describe only the samples."""
_GUID_TAIL = bytes.fromhex("0000000010008000 00aa00389b71")
"""End of the sub-format of WAVE_FORMAT_EXTENSIBLE, after the format tag."""
_MAX_KEPT = 1 << 20
"""Largest number of bytes before the fmt chunk's end that can be put back into the stream."""
MAX_INFO_BYTES = 1 << 16
"""Largest LIST chunk that is read or written. Latin-1 text may be twice as long in UTF-8."""
_SKIP = 1 << 16
"""Bytes that are skipped at once."""


def write_header(info: AudioInfo) -> bytes:
    """Return the bytes before the samples of a WAV stream; the inverse of `read_header`.

    If the length is unknown or over 4 GiB, all lengths that depend on it are 0xFFFFFFFF.
    """
    tag = _PCM if info.sample_format.startswith("PCM") else _IEEE_FLOAT
    width, align, rate = SAMPLE_BYTES[info.sample_format], sample_size(info), info.sample_rate
    format_body = struct.pack("<HHIIHH", tag, info.channels, rate, rate * align, align, 8 * width)
    mask = channel_mask(info.tags)
    if mask is not None:
        kind = struct.pack("<H", tag) + _GUID_TAIL
        format_body = struct.pack("<H", _EXTENSIBLE) + format_body[2:]
        format_body += struct.pack("<HHI", 22, 8 * width, mask) + kind
    chunks = _chunk(b"fmt ", format_body)
    if tag == _IEEE_FLOAT:
        samples = UNKNOWN if info.samples is None else min(info.samples, UNKNOWN)
        chunks += _chunk(b"fact", struct.pack("<I", samples))
    chunks += _pack_tags(info.tags)
    size = UNKNOWN if info.samples is None else info.samples * align
    whole = 4 + len(chunks) + 8 + size + size % 2
    if whole > UNKNOWN:
        size = whole = UNKNOWN
    riff = struct.pack("<4sI4s", b"RIFF", whole, b"WAVE")
    return riff + chunks + struct.pack("<4sI", b"data", size)


def read_header(source: Pushback) -> tuple[AudioInfo, int] | None:
    """Read a WAV stream up to its first sample.

    Returns: its properties, and the bytes of its samples; or None, with nothing read, if it is no
    WAV whose samples `PcmStream` reads. `samples` is None for a data length that writers use for
    "unknown" (see `is_placeholder`), unless the stream ends there or goes on with another chunk.

    Raises EOFError if the stream ends inside the header.
    """
    taken = bytearray()
    body, long_size = _find_format(source, taken)
    layout = parse_format(body)
    if layout is None:
        source.unread(bytes(taken))
        return None
    before = _dropped_before(bytes(taken))
    size, tags, dropped = _find_data(source)
    if size == UNKNOWN and long_size is not None:
        size = long_size
    tags = (*mask_tags(format_mask(body)), *tags)
    info = AudioInfo(*layout, None, tags, dropped=before + dropped)
    if is_placeholder(size):
        first = source.read(4)
        source.unread(first)
        if first and not begins_chunk(first):
            return info, size
        size = 0
    return replace(info, samples=size // sample_size(info)), size


def _find_format(source: Pushback, taken: bytearray) -> tuple[bytes, int | None]:
    """Find the fmt chunk, and add all bytes that are read to `taken`.

    Returns: the body of the fmt chunk (empty if there is none), and the data length of 64 bits in
    RF64.
    """

    def take(size: int) -> bytes:
        data = source.read(size)
        taken.extend(data)
        return data

    riff, long_size = take(12), None
    is_wav = riff[:4] in RIFF_MAGICS and riff[8:] == b"WAVE"
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


def _dropped_before(taken: bytes) -> tuple[str, ...]:
    """Return the names of dropped chunks among the first bytes of a WAV file."""
    at, dropped = 12, []
    while at < len(taken):
        name, size = _chunk_head(taken[at : at + 8])
        dropped += dropped_chunk(name, taken[at + 8 : at + 12])
        at += 8 + size + size % 2
    return tuple(dropped)


def dropped_chunk(name: bytes, body: bytes) -> list[str]:
    """Return the name of a chunk that is dropped, in a list, for a report. The list is empty if
    nothing is lost. `body` are the first bytes of the chunk."""
    if name == b"LIST":
        name += b" " + body[:4]
    return [] if name in _NEEDLESS else [f"WAV {name.decode('latin-1').strip()}"]


def _chunk_head(head: bytes) -> tuple[bytes, int]:
    """Return the name and the size of a chunk; an empty name if `head` is cut short."""
    return (head[:4], int.from_bytes(head[4:], "little")) if len(head) == 8 else (b"", 0)


def parse_format(body: bytes) -> tuple[int, int, str] | None:
    """Return sample rate, channels and sample format of a fmt chunk; None if `PcmStream` cannot
    read the samples."""
    if len(body) < 16:
        return None
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and body[26:40] == _GUID_TAIL:
        tag = int.from_bytes(body[24:26], "little")
    if not channels:
        return None
    width = -(-bits // 8)  # not from `align`, which some writers set wrongly
    if not bits or (width == 3 and align == 4 * channels):  # 24 bits in the high ones of 32
        width = align // channels
    sample_format = _FORMATS.get((tag, width))
    return (rate, channels, sample_format) if sample_format else None


def format_mask(body: bytes) -> int:
    """Return the channel mask of a fmt chunk; 0 if it has none."""
    extensible = int.from_bytes(body[:2], "little") == _EXTENSIBLE
    return int.from_bytes(body[20:24], "little") if extensible else 0


def _find_data(source: Pushback) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Skip to the samples. Returns the data length, the tags, and the names of dropped chunks."""
    tags: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    while True:
        name, size = _chunk_head(source.read(8))
        if not name:
            raise EOFError("the WAV header is cut short")
        if name == b"data":
            return size, tags, dropped
        body = source.read(min(size, MAX_INFO_BYTES)) if name == b"LIST" else b""
        info = parse_info(body, size)
        if info is None:
            dropped += tuple(dropped_chunk(name, body))
        else:
            tags, dropped = info[0], dropped + info[1]
        _skip(source, size + size % 2 - len(body))


def _skip(source: Pushback, size: int) -> None:
    while size and (skipped := len(source.read(min(size, _SKIP)))):
        size -= skipped


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def fit_info(
    tags: tuple[str, ...], room: int = MAX_INFO_BYTES - 4
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags that INFO chunks of `room` bytes can hold, and the names of the others."""
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
    """Return the tags of a LIST chunk, and the names of INFO chunks that no Vorbis comment stands
    for; None if the list is not of INFO chunks.

    Args:
        body: the first `MAX_INFO_BYTES` of the chunk, at most.
        size: the bytes of the whole chunk.
    """
    if body[:4] != b"INFO":
        return None
    if size > MAX_INFO_BYTES:
        return (), (f"INFO tags of {size} bytes",)
    values: dict[bytes, str] = {}
    at = 4
    while at < len(body):
        name, size = _chunk_head(body[at : at + 8])
        text = body[at + 8 : at + 8 + size].split(b"\0")[0]
        if text:
            values[name] = legacy_text(text)
        at += 8 + size + size % 2
    tags = tuple(f"{tag}={values.pop(name)}" for tag, name in INFO_TAGS.items() if name in values)
    values.pop(_SOFTWARE, None)
    return tags, tuple(f"INFO {name.decode('latin-1')}" for name in values)
