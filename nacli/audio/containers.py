"""Output containers: their sample formats, and how many bytes they can hold."""

from __future__ import annotations

import shlex
from pathlib import Path

from nacli.audio.pcm import AudioInfo
from nacli.audio.wav_stream import WAV_FORMATS
from nacli.errors import UnsupportedAudio

TELEPHONE = ("ULAW", "ALAW")
"""Companded formats of telephony (ITU-T G.711)."""
_AIFF_FORMATS = ("PCM_S8", *WAV_FORMATS, *TELEPHONE)
CONTAINERS = {
    ".wav": ("WAV", (*WAV_FORMATS, *TELEPHONE)),
    ".flac": ("FLAC", ("PCM_S8", "PCM_16", "PCM_24")),
    ".ogg": ("OGG", ("VORBIS", "OPUS")),
    ".aiff": ("AIFF", _AIFF_FORMATS),
    ".aif": ("AIFF", _AIFF_FORMATS),
}
"""Containers by extension: libsndfile's name, and the sample formats. Block codecs such as ADPCM
are left out, since they pad the length."""

NEAREST = {
    "PCM_S8": ("PCM_U8",),
    "PCM_U8": ("PCM_S8",),
    "PCM_32": ("PCM_24",),
    "FLOAT": ("PCM_24",),
    "DOUBLE": ("FLOAT", "PCM_24"),
}
"""Substitutes for a sample format that a container cannot hold, in order of preference. PCM_16 and
then VORBIS follow."""

INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
INTEGER_BITS |= dict.fromkeys(TELEPHONE, 16)
"""Bits of integers by sample format; companded samples expand to 16 bits."""

MAX_BYTES = {"WAV": 0xFFFF0000, "AIFF": 0xFFFF0000}
"""Largest number of audio bytes in containers whose lengths have 32 bits."""

_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)


def choose_container(path: str, info: AudioInfo) -> tuple[str, str]:
    """Choose container and sample format of an output file by its extension and the audio.

    Raises `UnsupportedAudio` for an extension that `CONTAINERS` lacks.
    """
    extension = Path(path).suffix.lower()
    if extension not in CONTAINERS:
        known = " ".join(CONTAINERS)
        if not extension:
            raise UnsupportedAudio(f"{path}: the name has no extension; nacli writes {known}")
        pipe = f"nacli decode FILE -o - | ffmpeg -i - {shlex.quote(path)}"
        cause = f"the extension {extension} is none that nacli writes ({known})"
        raise UnsupportedAudio(f"{path}: {cause}; ffmpeg may: {pipe}")
    container, formats = CONTAINERS[extension]
    if (
        info.sample_rate not in _OPUS_RATES or info.samples == 0
    ):  # libsndfile writes empty Opus wrongly
        formats = tuple(name for name in formats if name != "OPUS")
    sample_format = nearest_format(info.sample_format, formats)
    size = audio_bytes(info.samples or 0, info, sample_format)
    if container == "WAV" and size > MAX_BYTES["WAV"]:
        container = "RF64"
    return container, sample_format


def check_depth(path: str, info: AudioInfo) -> None:
    """Raise `UnsupportedAudio` if the container of an output file cannot hold the sample format of
    `info` with as many bits, or as floats. Stdout gets WAV, which holds all."""
    if path == "-":
        return
    container, chosen = choose_container(path, info)
    target = info.sample_format
    if chosen != target and INTEGER_BITS.get(chosen) != INTEGER_BITS.get(target, -1):
        bits = f"{INTEGER_BITS[target]}-bit" if target in INTEGER_BITS else "float"
        raise UnsupportedAudio(f"{path}: {container} cannot hold {bits} samples")


def nearest_format(target: str, formats: tuple[str, ...]) -> str:
    """Return `target` if it is among `formats`, else its nearest substitute among them."""
    choices = (target, *NEAREST.get(target, ()), "PCM_16", "VORBIS")
    return next(choice for choice in choices if choice in formats)


def audio_bytes(samples: int, info: AudioInfo, sample_format: str) -> int:
    """Return the bytes of `samples` samples of all channels, uncompressed."""
    bits = 8 if sample_format in TELEPHONE else INTEGER_BITS.get(sample_format, 32)
    bits = 64 if sample_format == "DOUBLE" else bits
    return samples * info.channels * bits // 8


def empty_flac(info: AudioInfo) -> bytes:
    """Return a FLAC file without samples (RFC 9639, section 8.2), which libsndfile does not
    write."""
    bits = INTEGER_BITS[info.sample_format]
    packed = (info.sample_rate << 44) | ((info.channels - 1) << 41) | ((bits - 1) << 36)
    block_sizes = (4096).to_bytes(2, "big") * 2
    stream_info = block_sizes + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    return b"fLaC\x80" + len(stream_info).to_bytes(3, "big") + stream_info
