"""The output of `nacli info` as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nacli.cli.group import one_line
from nacli.config import CODED_RATE
from nacli.errors import counted
from nacli.files.names import input_name
from nacli.format import (
    FRONT_COVER,
    EntropyKind,
    Picture,
    TableSection,
    unpack_picture,
)
from nacli.inspection.info import FileInfo

MAX_DAMAGES = 10
"""Number of lines about damage; a badly damaged file would have thousands."""
MIN_WIDTH = 10
"""Least width of the column of names."""
MAX_TAG = 300
"""Characters of a tag that are printed: some tags hold lyrics or more."""


def table(path: str, info: FileInfo, counts: dict[str, Any] | None = None) -> str:
    """Return one line for each property under the name of the file, and with `counts` (see
    `CodeCounts.to_json`) one for each part of the payloads."""
    rows = [*_rows(info), *(_code_rows(counts) if counts else ())]
    width = max(MIN_WIDTH, *(len(name) for name, _ in rows))
    lines = (f"  {name:<{width}} {one_line(value)}" for name, value in rows)
    return "\n".join([one_line(input_name(path)), *lines])


def _code_rows(counts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the coded bits of each part, and their share of the bits of plain numbers."""
    if counts["angle_bits"]:
        yield "stereo angles", counted(counts["angle_bits"], "bit")
    yield "gains", counted(counts["gain_bits"], "bit")
    corrections = _share(counts["correction_bits"], counts["raw_correction_bits"])
    yield "envelope corrections", corrections
    yield "high band", counted(counts["high_band_bits"], "bit")
    yield "codes", _share(counts["code_bits"], counts["raw_code_bits"])
    stages = zip(counts["stage_bits"], counts["raw_stage_bits"], strict=True)
    for stage, (bits, plain) in enumerate(stages, 1):
        if plain:
            yield f"stage {stage}", _share(bits, plain)


def _share(bits: int, plain: int) -> str:
    return f"{counted(bits, 'bit')}, {100 * bits / max(1, plain):.1f}% of {plain} uncoded"


def _rows(info: FileInfo) -> Iterator[tuple[str, str]]:
    stream = info.header.stream
    yield "duration", _duration(info)
    layout = counted(stream.channels, "channel")
    mode = stream.channel_mode.name.lower()
    yield "original", f"{stream.sample_rate} Hz, {layout} ({mode}), {stream.sample_format.name}"
    yield "bitrate", _bitrate(info)
    yield "model", info.model
    packet_ms = 1000 * stream.frames_per_packet * stream.hop / CODED_RATE
    missing = f", {info.missing_packets} missing" if info.missing_packets else ""
    frames = counted(info.frames, "frame")
    yield "packets", f"{info.packets} of {packet_ms:.0f} ms, {frames}{missing}"
    if info.packets:
        least, most = info.least_packet_bytes, counted(info.most_packet_bytes, "byte")
        yield "a packet", f"{least} to {most}, {info.mean_packet_bytes:.1f} on average"
    yield "codebooks", _table(info.header.codebooks)
    kind = EntropyKind(info.header.entropy.kind).name.lower()
    yield "entropy", f"{kind}, {_table(info.header.entropy)}"
    for tag in info.header.tags:
        yield "tag", tag if len(tag) <= MAX_TAG else f"{tag[:MAX_TAG]}... ({len(tag)} characters)"
    if info.header.picture is not None:
        yield "picture", _picture(unpack_picture(info.header.picture))
    yield from _damages(info)


def _duration(info: FileInfo) -> str:
    """Return the duration of the recording, and how much of it is missing at the end."""
    if info.samples is None:
        return f"{info.seconds:.3f} s, of an unknown number of samples"
    samples = counted(info.samples, "sample")
    if not info.missing_seconds:
        return f"{info.seconds:.3f} s, {samples}"
    whole = info.samples / info.header.stream.sample_rate
    missing = f"{info.missing_seconds:.3f} s missing at the end"
    return f"{info.seconds:.3f} s of {whole:.3f} s ({samples}), {missing}"


def _picture(picture: Picture) -> str:
    kind = {FRONT_COVER: "front cover"}.get(picture.kind, f"type {picture.kind}")
    size = f"{picture.width} x {picture.height}, " if picture.width and picture.height else ""
    mime = picture.mime or "unknown kind"
    return f"{kind}, {mime}, {size}{counted(len(picture.data), 'byte')}"


def _bitrate(info: FileInfo) -> str:
    rate = "none" if info.kbps is None else f"{info.kbps:.2f} kbps"
    parts = (
        f"{info.header_bytes} header, {info.framing_bytes} framing, {info.payload_bytes} payload"
    )
    return f"{rate}, {counted(info.file_bytes, 'byte')} ({parts})"


def _table(section: TableSection) -> str:
    digest = section.digest.hex()
    if section.inline is None:
        return f"referenced as {digest}"
    return f"inline, {counted(len(section.inline), 'byte')} ({digest})"


def _damages(info: FileInfo) -> Iterator[tuple[str, str]]:
    if not info.damages:
        yield "damage", "none"
    for damage in info.damages[:MAX_DAMAGES]:
        size = counted(damage.length, "byte")
        yield "damage", f"at byte {damage.offset}, {size}: {damage.reason}"
    if len(info.damages) > MAX_DAMAGES:
        yield "damage", f"and {len(info.damages) - MAX_DAMAGES} more"
