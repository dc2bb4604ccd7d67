"""Audio files whose tags and pictures were written by other libraries."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from mutagen import flac, id3
from mutagen.aiff import AIFF
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from nacli.format import Picture, pack_picture

RATE = 16_000


SOUND = (0.3 * np.sin(np.arange(RATE // 4) * 0.1)).astype(np.float32)


COVER = Picture(3, "image/png", "Vörderseite", 600, 500, 24, 0, bytes(range(256)) * 40)


PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 600, 400, 8, 2, 0, 0, 0)
BACK = Picture(4, "image/jpeg", "", 0, 0, 0, 0, b"back")


TAGS: tuple[str, ...] = (
    "TITLE=Grüße \U0001f3b5",
    "ARTIST=A",
    "ARTIST=B",
    "DATE=1999-12-31",
    "GENRE=Noise",
    "Own Name=x=y",
    "LYRICS=one\ntwo",
    "REPLAYGAIN_TRACK_GAIN=-3.50 dB",
)
IN_WAV = ("TITLE=Grüße \U0001f3b5", "ARTIST=A", "DATE=1999-12-31", "GENRE=Noise")


def pairs(tags: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (tag.partition("=") for tag in tags)]


def make(
    path: Path,
    subtype: str,
    tags: tuple[str, ...] = TAGS,
    pictures: tuple[Picture, ...] = (BACK, COVER),
) -> Path:
    """Make an audio file with tags and pictures that libsndfile and mutagen write."""
    soundfile.write(path, SOUND, RATE, subtype)
    blocks = [flac.Picture(pack_picture(picture)) for picture in pictures]
    file: Any
    if path.suffix == ".wav":
        with soundfile.SoundFile(path, "w", RATE, 1, subtype) as file:
            for name, value in pairs(IN_WAV):
                setattr(file, name.lower(), value)
            file.write(SOUND)
        return path
    if path.suffix == ".aiff":
        file = AIFF(path)
        file.add_tags()
        add_id3(file.tags, blocks)
    elif path.suffix == ".flac":
        file = flac.FLAC(path)
        file.tags[:] = pairs(tags)
        for block in blocks:
            file.add_picture(block)
    else:
        file = (OggOpus if subtype == "OPUS" else OggVorbis)(path)
        texts = [base64.b64encode(block.write()).decode() for block in blocks]
        file.tags[:] = [*pairs(tags), *(("METADATA_BLOCK_PICTURE", text) for text in texts)]
    file.save()
    return path


def add_id3(frames: Any, blocks: list[Any], encoding: int = 3) -> None:
    """Add `TAGS` as ID3 frames."""
    texts = {name: [v for n, v in pairs(TAGS) if n == name] for name, _ in pairs(TAGS)}
    frames.add(id3.TIT2(encoding=encoding, text=texts["TITLE"]))
    frames.add(id3.TPE1(encoding=encoding, text=texts["ARTIST"]))
    frames.add(id3.TDRC(encoding=encoding, text=texts["DATE"]))
    frames.add(id3.TCON(encoding=encoding, text=texts["GENRE"]))
    frames.add(id3.USLT(encoding=encoding, lang="eng", desc="", text=texts["LYRICS"][0]))
    for name in ("Own Name", "REPLAYGAIN_TRACK_GAIN"):
        frames.add(id3.TXXX(encoding=encoding, desc=name, text=texts[name]))
    frames.add(id3.TSSE(encoding=encoding, text=["some encoder"]))
    for b in blocks:
        frames.add(id3.APIC(encoding=encoding, mime=b.mime, type=b.type, desc=b.desc, data=b.data))
