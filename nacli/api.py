"""Whole recordings in one call: pcm to the bytes of a .nac file, and back.

For what does not fit into memory, or is still being recorded, there are `nacli.Encoder` and
`nacli.Decoder`, which these functions wrap: the bytes and samples are the same.

    import nacli, soundfile

    pcm, sample_rate = soundfile.read("talk.wav", dtype="float32")
    data = nacli.encode(pcm, sample_rate, bitrate=6)
    pcm, sample_rate = nacli.decode(data)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.checkpoint import Model, load_checkpoint
from nacli.decoder.stream import Decoder
from nacli.decoder.timeline import Gap
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder, checked
from nacli.types import Pcm


def load_model(path: str | Path | None = None) -> Model:
    """Load a checkpoint by its `.safetensors` path, or, without one, that of this package.

    A model is frozen: any number of Encoders and Decoders may share it. The shipped one is read
    once and kept. Raises `BadCheckpoint` when it is missing, damaged or contradictory.
    """
    return _shipped_model() if path is None else load_checkpoint(Path(path))


@cache
def _shipped_model() -> Model:
    return load_checkpoint()


def encode(
    pcm: NDArray[np.floating[Any]],
    sample_rate: int,
    *,
    model: Model | None = None,
    **settings: Any,
) -> bytes:
    """Compress a recording to the bytes of a .nac file.

    Args:
        pcm: samples [T, C], or [T] for mono, of any float type, full scale +-1; T may be 0.
        sample_rate: in Hz, 8000 to 192000. `decode` returns the same rate and length.
        model: from `load_model`; the shipped one by default.
        settings: fields of `EncoderSettings`: bitrate, quality, effort, packet_frames,
            sample_format, tags, picture.

    Raises:
        UnsupportedAudio: a sample rate, channel count or bitrate out of range, or pcm that is not
            of floats, not of one or two dimensions, or not finite.
        ValueError: a tag or picture is not what it should be, or too large; quality or effort out
            of range, or a quality beside a bitrate.
        BadCheckpoint: the shipped model cannot be loaded.
    """
    pcm = checked(pcm)
    chosen = EncoderSettings(**settings)
    encoder = Encoder(model or load_model(), sample_rate, pcm.shape[1], chosen, samples=len(pcm))
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
