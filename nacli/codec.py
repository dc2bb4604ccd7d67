"""Whole recordings in one call: pcm to the bytes of a .nac file, and back.

For what does not fit into memory, or is still being recorded, there are `nacli.Encoder` and
`nacli.Decoder`, which these functions wrap: the bytes and samples are the same.

    import nacli, soundfile

    pcm, sample_rate = soundfile.read("talk.wav", dtype="float32")
    data = nacli.encode(pcm, sample_rate, bitrate=6)
    pcm, sample_rate = nacli.decode(data)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.checkpoint import Model, load_checkpoint
from nacli.choice import DEFAULT_EFFORT
from nacli.decoder import Decoder
from nacli.encoder import Encoder, checked
from nacli.timeline import Gap

Pcm = NDArray[np.float32]


def load_model(path: str | Path | None = None, *, engine: str = "auto") -> Model:
    """Load a checkpoint by its `.safetensors` path, or, without one, that of this package.

    `engine` says what runs its networks: "numpy", "torch", or "auto", which is NumPy wherever it
    can run them. Files of one decode with the other. A model is frozen: any number of Encoders and
    Decoders may share it. The shipped one is read once and kept. Raises `BadCheckpoint` when it is
    missing, damaged or contradictory.
    """
    return _shipped_model(engine) if path is None else load_checkpoint(Path(path), engine)


@cache
def _shipped_model(engine: str) -> Model:
    return load_checkpoint(engine=engine)


def encode(
    pcm: NDArray[np.floating[Any]],
    sample_rate: int,
    *,
    bitrate: float | None = None,
    quality: float | None = None,
    effort: int = DEFAULT_EFFORT,
    model: Model | None = None,
    packet_frames: int = 150,
    sample_format: str = "PCM_16",
    tags: Iterable[str] = (),
    picture: bytes | None = None,
    embed: bool = False,
) -> bytes:
    """Compress a recording to the bytes of a .nac file.

    Args:
        pcm: samples [T, C], or [T] for mono, of any float type, full scale +-1; T may be 0.
        sample_rate: in Hz, 8000 to 192000. `decode` returns the same rate and length.
        bitrate: kbps of the whole file, all channels and the container included; by default 6 for
            mono, 10 for stereo.
        quality: 0 to 10 instead of a bitrate: bytes go where they are needed.
        effort: 0 (fast) to 3 (slow, better at the same size).
        model: from `load_model`; the shipped one by default.
        packet_frames: frames of 1/75 s in a packet. Short packets cost bits for their framing.
        sample_format: what the recording was stored as (libsndfile's name), for the header.
        tags: "NAME=value" each, for the header; at most 1 MiB together.
        picture: the body of a FLAC picture block (type, MIME type, image...); at most 16 MiB.
        embed: store codebooks and entropy tables in the file instead of their digests.

    Raises:
        UnsupportedAudio: a sample rate, channel count or bitrate out of range, or pcm that is not
            of floats, not of one or two dimensions, or not finite.
        ValueError: a tag or picture is not what it should be, or too large; quality or effort out
            of range, or a quality beside a bitrate.
        BadCheckpoint: the shipped model cannot be loaded.
    """
    pcm = checked(pcm)
    encoder = Encoder(
        model or load_model(),
        sample_rate,
        pcm.shape[1],
        bitrate=bitrate,
        quality=quality,
        effort=effort,
        packet_frames=packet_frames,
        samples=len(pcm),
        sample_format=sample_format,
        tags=tags,
        picture=picture,
        embed=embed,
    )
    starts = range(0, len(pcm), sample_rate)  # by the second: the resampler's copies stay small
    made = [encoder.encode(pcm[start : start + sample_rate]) for start in starts]
    return b"".join([*made, encoder.finish()])


def decode(
    data: bytes,
    *,
    model: Model | None = None,
    start: float | str = 0,
    stop: float | str | None = None,
    on_gap: Callable[[Gap], None] | None = None,
) -> tuple[Pcm, int]:
    """Decompress the bytes of a .nac file to pcm [T, C] float32 in +-1, and its rate in Hz.

    Rate, channels and length are exactly those of the recording.

    Args:
        data: a whole .nac file.
        model: the one that the file was made with; the shipped one by default.
        start, stop: the part that is wanted, in seconds or as text: "1:23.5", "48000smp". It equals
            that part of the whole, sample for sample.
        on_gap: called for each place where damage was concealed; without it, damage raises.

    Raises:
        NotNac, UnknownVersion, DamagedHeader, DamagedPacket: `data` is not a sound .nac file.
        OutOfRange: the recording ends before `start`.
        WrongModel: it was made with another model.
        Mismatch: the codes are not those that were encoded.
        BadCheckpoint: the shipped model cannot be loaded.
    """
    decoder = Decoder(model or load_model(), start=start, stop=stop, on_gap=on_gap)
    first = decoder.decode(data)
    rest = decoder.finish()
    assert decoder.header is not None, "finish() raises where there is no header"
    return np.concatenate([first, rest]), decoder.header.stream.sample_rate
