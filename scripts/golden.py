"""Make the golden files of the test suite from the shipped checkpoint.

    python scripts/golden.py

Good files must keep decoding to the same codes, whose digest is in their end record, and to nearly
the same sound; damaged files must keep failing with the same error. Run this only when the
checkpoint or the format changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import soundfile

import nacli
from nacli import errors
from nacli.format import VERSION, Header, Parser, pack_header

TESTS = Path(__file__).resolve().parent.parent / "tests"
FOLDER = TESTS / "golden"
BLOCK = 2400
"""Samples of a block whose level is compared."""


def levels(pcm: np.ndarray) -> list[float]:
    """Return the level in dB of each block of samples [T, C], at least -100."""
    count = -(-len(pcm) // BLOCK)
    padding = ((0, count * BLOCK - len(pcm)), (0, 0))
    blocks = np.pad(pcm, padding).reshape(count, BLOCK * pcm.shape[1])
    power = np.square(blocks.astype(np.float64)).mean(1)
    return [round(float(level), 2) for level in 10 * np.log10(np.maximum(power, 1e-10))]


def good_files() -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of files that decode."""
    talk, rate = soundfile.read(TESTS / "data" / "talk.flac", dtype="float32", always_2d=True)
    talk = talk[: 3 * rate]
    wide = np.concatenate([talk, 0.5 * np.roll(talk, 300, axis=0)], axis=1)
    silence = np.zeros((rate, 1), dtype=np.float32)
    yield "talk-1.5", nacli.encode(talk, rate, bitrate=1.5)
    yield "talk-6", nacli.encode(talk, rate, bitrate=6)
    yield "stereo-12", nacli.encode(wide[:rate], rate, bitrate=12)
    yield "silence", nacli.encode(silence, rate)
    yield "one-sample", nacli.encode(talk[:1], rate)
    yield "empty", nacli.encode(talk[:0], rate)


def flip(data: bytes, position: int) -> bytes:
    """Return the data with one bit of a byte changed."""
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]


def other_model(data: bytes) -> bytes:
    """Change the digest of the model, and write the header with a new checksum."""
    parser = Parser()
    header = next(parser.feed(data))
    assert isinstance(header, Header), "the header comes first"
    return pack_header(replace(header, model=flip(header.model, 4))) + data[parser.offset :]


def bad_files(good: bytes) -> Iterator[tuple[str, bytes, type[errors.NacliError]]]:
    """Yield names, bytes and errors of files that do not decode."""
    yield "not-nac", b"RIFF" + good[4:], errors.NotNac
    yield "version", good[:4] + bytes([VERSION + 1]) + good[5:], errors.UnknownVersion
    yield "header", flip(good, 9), errors.DamagedHeader
    yield "header-cut", good[:40], errors.DamagedHeader
    yield "model", other_model(good), errors.WrongModel
    yield "packet", flip(good, len(good) // 2), errors.DamagedPacket
    yield "cut", good[: len(good) // 2], errors.DamagedPacket
    yield "no-end", good[:-20], errors.DamagedPacket
    yield "tail", good + b"more", errors.DamagedPacket


@click.command("golden")
def main() -> None:
    """Replace the golden files in tests/golden."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.nac"):
        old.unlink()
    files, expected = dict(good_files()), {}
    for name, data in files.items():
        (FOLDER / f"{name}.nac").write_bytes(data)
        pcm, rate = nacli.decode(data)
        expected[name] = {"rate": rate, "shape": list(pcm.shape), "levels": levels(pcm)}
    for name, data, error in bad_files(files["talk-6"]):
        (FOLDER / f"bad-{name}.nac").write_bytes(data)
        expected[f"bad-{name}"] = {"error": error.__name__}
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
