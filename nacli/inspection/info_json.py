"""The properties of a .nac file as plain data, which `nacli info --json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nacli.format import VERSION, EndRecord, EntropyKind, Picture, TableSection, unpack_picture
from nacli.inspection.info import FileInfo


def to_json(info: FileInfo) -> dict[str, Any]:
    """Return `info` as plain data with stable names. Digests are in hex; None is unknown.

    `kbps` is the bitrate of the audio: packets and end record, without header, tags and picture.
    """
    stream, picture = info.header.stream, info.header.picture
    return {
        "version": VERSION,
        "sample_rate": stream.sample_rate,
        "channels": stream.channels,
        "channel_mode": stream.channel_mode.name.lower(),
        "sample_format": stream.sample_format.name,
        "samples": info.samples,
        "seconds": info.seconds,
        "missing_seconds": info.missing_seconds,
        "hop": stream.hop,
        "frames_per_packet": stream.frames_per_packet,
        "stages": stream.stages,
        "model": info.model,
        "codebooks": _table_json(info.header.codebooks),
        "entropy": {
            **_table_json(info.header.entropy),
            "kind": EntropyKind(info.header.entropy.kind).name.lower(),
        },
        "tags": list(info.header.tags),
        "picture": picture and _picture_json(unpack_picture(picture)),
        "packets": info.packets,
        "missing_packets": info.missing_packets,
        "frames": info.frames,
        "file_bytes": info.file_bytes,
        "kbps": info.kbps,
        **_sizes_json(info),
        "damages": [asdict(damage) for damage in info.damages],
        "end": info.end and _end_json(info.end),
    }


def _sizes_json(info: FileInfo) -> dict[str, Any]:
    return {
        "header_bits": 8 * info.header_bytes,
        "framing_bits": 8 * info.framing_bytes,
        "payload_bits": 8 * info.payload_bytes,
        "damaged_bits": 8 * info.damaged_bytes,
        "packet_bits": {
            "min": 8 * info.least_packet_bytes,
            "mean": 8 * info.mean_packet_bytes,
            "max": 8 * info.most_packet_bytes,
        },
    }


def _table_json(table: TableSection) -> dict[str, Any]:
    inline = None if table.inline is None else len(table.inline)
    return {"digest": table.digest.hex(), "inline_bytes": inline}


def _picture_json(picture: Picture) -> dict[str, Any]:
    return {
        "type": picture.kind,
        "mime": picture.mime,
        "description": picture.description,
        "width": picture.width,
        "height": picture.height,
        "bytes": len(picture.data),
    }


def _end_json(end: EndRecord) -> dict[str, Any]:
    return {
        "samples": end.samples,
        "packets": end.packets,
        "check": end.check.hex(),
        "seek_interval": end.interval,
        "seek_entries": len(end.seek),
    }
