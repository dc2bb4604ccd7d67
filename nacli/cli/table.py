"""What `nacli info` shows to people."""

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
"""Lines of damage; a file of noise would have thousands."""
MAX_TAG = 300
"""Characters of a tag that are shown: some hold a song's lyrics, or much more."""


def table(path: str, info: FileInfo) -> str:
    """One line per property, under the name of the file."""
    rows = (f"  {name:<10} {one_line(value)}" for name, value in _rows(info))
    return "\n".join([one_line(input_name(path)), *rows])


def code_table(values: dict[str, Any]) -> str:
    """What `info --codes` adds: bits by the entropy model, against plain numbers."""
    raw, stages = values["raw_stage_bits"], values["stage_bits"]
    lines = [f"  {'gains':<10} {counted(values['gain_bits'], 'bit')}"]
    lines.append(
        f"  {'corrections':<10} {_share(values['correction_bits'], values['raw_correction_bits'])}"
    )
    lines.append(f"  {'codes':<10} {_share(values['code_bits'], values['raw_code_bits'])}")
    lines.append(f"  {'high band':<10} {counted(values['high_band_bits'], 'bit')}")
    for stage, (bits, plain) in enumerate(zip(stages, raw, strict=True), 1):
        if plain:
            lines.append(f"  {f'stage {stage}':<10} {_share(bits, plain)}")
    return "\n".join(lines)


def _share(bits: int, plain: int) -> str:
    return f"{counted(bits, 'bit')}, {100 * bits / max(1, plain):.1f}% of {plain}"


def _rows(info: FileInfo) -> Iterator[tuple[str, str]]:
    stream = info.header.stream
    yield "duration", _duration(info)
    layout = counted(stream.channels, "channel")
    mode = stream.channel_mode.name.lower().replace("_", "/")
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
    """What there is of the recording, and what is missing at the end of a file that was cut."""
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
    real = "none" if info.kbps is None else f"{info.kbps:.2f} kbps"
    parts = (
        f"{info.header_bytes} header, {info.framing_bytes} framing, {info.payload_bytes} payload"
    )
    return f"{real}, {counted(info.file_bytes, 'byte')} ({parts})"


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
