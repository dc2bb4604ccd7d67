"""Whole recordings in one call: pcm to the bytes of a .nac file, and back.

Recordings that do not fit into memory, or are still running, need `nacli.Encoder` and
`nacli.Decoder`, which these functions wrap: the bytes and samples are the same.

    import nacli, soundfile

    pcm, sample_rate = soundfile.read("talk.wav", dtype="float32")
    data = nacli.encode(pcm, sample_rate, bitrate=6)
    pcm, sample_rate = nacli.decode(data)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nacli import checkpoint
from nacli.arguments import expect, integer
from nacli.audio.samples import check_scale, checked
from nacli.checkpoint import Model
from nacli.decoder.stream import Decoder
from nacli.decoder.timeline import Gap
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.files.inputs import Source, blocks_from, naming_source
from nacli.types import Pcm


def load_model(
    path: str | Path | None = None, *, engine: str = "auto", device: str = "cpu"
) -> Model:
    """Load a checkpoint by its `.safetensors` path; by default, the one shipped with nacli.

    A model does not change: any number of Encoders and Decoders may share it. The shipped one is
    read once and kept. Files that are made with one engine or device decode with the others.

    Args:
        path: the path of the `.safetensors` file.
        engine: "numpy" or "torch" runs the networks; "auto" is NumPy on the CPU, except for
            networks with layers that only torch has.
        device: "cpu", "cuda" (a GPU, through torch), or "auto": a GPU where torch finds one.

    Raises:
        BadCheckpoint: a file is missing, damaged or contradictory.
        NacliError: the device is "cuda", and torch is not installed or finds no GPU.
        TypeError: `path` is of another type.
        ValueError: the engine or the device is unknown, or the engine cannot use the device.
    """
    expect("path", path, (str, Path, type(None)), "the path of a .safetensors file")
    return checkpoint.load_model(None if path is None else Path(path), engine, device)


def encode(
    pcm: Any,
    sample_rate: int,
    *,
    model: Model | None = None,
    **settings: Any,
) -> bytes:
    """Compress a recording to the bytes of a .nac file.

    Args:
        pcm: samples [T, C], or [T] for mono: an array, tensor or list of floats with full scale
            +-1, or an array of int16, int32, int8 or uint8 with its own full scale; T may be 0.
            Samples beyond +-4 are clipped, and a constant offset is removed; a `UserWarning` says
            so.
        sample_rate: in Hz, 8000 to 192000. `decode` returns the same rate and length.
        model: from `load_model`; the shipped one by default.
        settings: fields of `EncoderSettings`: bitrate, quality, effort, packet_frames,
            sample_format, tags, picture.

    Raises:
        UnsupportedAudio: the sample rate, channel count or bitrate is out of range, or pcm is of
            another kind or shape, not finite, or far over full scale (such as floats in +-32767).
        TypeError: another argument is of a type that is not named here.
        ValueError: a tag or picture is malformed or too large, quality or effort is out of range,
            or a quality is given beside a bitrate.
        BadCheckpoint: the shipped model cannot be loaded.
    """
    pcm = checked(pcm)
    check_scale(pcm)
    sample_rate = integer("sample_rate", sample_rate)
    chosen = EncoderSettings(**settings)
    encoder = Encoder(model or load_model(), sample_rate, pcm.shape[1], chosen, samples=len(pcm))
    # A second at a time: the resampler's copies stay small.
    blocks = (pcm[start : start + sample_rate] for start in range(0, len(pcm), sample_rate))
    data = b"".join(encoder.encode_blocks(blocks)) + encoder.finish()
    for line in encoder.warnings:
        warnings.warn(line, stacklevel=2)
    return data


def decode(
    source: Source,
    *,
    model: Model | None = None,
    start: float | str = 0,
    stop: float | str | None = None,
    on_gap: Callable[[Gap], None] | None = None,
) -> tuple[Pcm, int]:
    """Decompress a .nac file to pcm [T, C] float32 in +-1, and its rate in Hz.

    Rate, channels and length are exactly those of the recording.

    Args:
        source: a .nac file: its path ("-" is stdin), its bytes, or a file object in binary mode.
        model: the one that the file was made with; the shipped one by default.
        start, stop: the section to decode, in seconds or as text: "1:23.5", "48000smp". It equals
            that section of the whole, sample for sample.
        on_gap: called for each gap: damage, which is concealed, or a file that ends too soon.
            Without it, damage raises.

    Raises:
        UnreadableInput: the file cannot be read.
        NotNac, UnknownVersion, DamagedHeader, DamagedPacket: it is not an intact .nac file.
        OutOfRange: the recording ends before `start`, or `stop` is not after `start`.
        WrongModel: it was made with another model.
        Mismatch: the codes differ from those that were encoded.
        BadCheckpoint: the shipped model cannot be loaded.
        ValueError: `start` or `stop` is not a position.
        TypeError: an argument is of a type that is not named here.
    """
    decoder = Decoder(model or load_model(), start=start, stop=stop, on_gap=on_gap)
    with naming_source(source):
        blocks = list(_decoded(source, decoder))
    assert decoder.header is not None, "last_blocks() raises where there is no header"
    stream = decoder.header.stream
    empty = np.zeros((0, stream.channels), dtype=np.float32)
    return np.concatenate([empty, *blocks]), stream.sample_rate


def _decoded(source: Source, decoder: Decoder) -> Iterator[Pcm]:
    for data in blocks_from(source):
        yield from decoder.blocks(data)
        if decoder.done:
            break
    yield from decoder.last_blocks()
