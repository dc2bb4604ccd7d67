"""The samples that are accepted: their sample rate and channel count; and those of Python callers
(arrays, tensors, lists) as floats [T, C], full scale +-1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.errors import UnsupportedAudio
from nacli.format import MAX_CHANNELS

Floats = NDArray[np.float32]

MIN_RATE, MAX_RATE = 8_000, 192_000
"""Sample rates in Hz that are read."""
FULL_SCALES = {"i1": 1 << 7, "u1": 1 << 7, "i2": 1 << 15, "i4": 1 << 31}
"""Full scales of integers by NumPy's names. Unsigned bytes have their zero at 128, as in WAV."""
ACCEPTED = (
    "an array, tensor or list [T] or [T, C] of floats with full scale +-1, or an array of int16, "
    "int32, int8 or uint8"
)
ABSURD = 16.0
"""Amplitude, 24 dB over full scale, above which samples were not meant to have full scale +-1."""
ABSURD_SHARE = 0.01
"""Share of such samples that is an error. Fewer are outliers, which harm only the sound near
them."""


def check_supported(sample_rate: int, channels: int, name: str = "audio") -> None:
    """Raise `UnsupportedAudio`, naming `name`, if the sample rate or channel count is out of
    range."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudio(f"{name}: {channels} channels (1 to {MAX_CHANNELS} are read)")
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        possible = f"{MIN_RATE} to {MAX_RATE} Hz are read"
        raise UnsupportedAudio(f"{name}: sample rate {sample_rate} Hz ({possible})")


def checked(pcm: Any) -> Floats:
    """Return samples [T, C] or [T] as [T, C] float32. Integers are divided by their full scale.

    Raises `UnsupportedAudio` for objects that cannot become an array of samples, other shapes, and
    samples that are not finite.
    """
    pcm = _array(pcm)
    name = pcm.dtype.str[1:]
    if name not in FULL_SCALES and not np.issubdtype(pcm.dtype, np.floating):
        raise UnsupportedAudio(f"pcm is of {pcm.dtype}, but nacli takes {ACCEPTED}")
    if pcm.ndim not in (1, 2):
        raise UnsupportedAudio(f"pcm has the shape {pcm.shape}, but nacli takes [T] or [T, C]")
    pcm = pcm.reshape(len(pcm), *(pcm.shape[1:] or (1,)))
    if pcm.shape[1] > MAX_CHANNELS:
        raise UnsupportedAudio(
            f"pcm has the shape {pcm.shape}, which are {pcm.shape[1]} channels: nacli takes 1 to "
            f"{MAX_CHANNELS}, the samples of one time in a row (pcm.T exchanges rows and columns)"
        )
    if name in FULL_SCALES:
        return _scaled(pcm, 128 if name == "u1" else 0, FULL_SCALES[name])
    if not np.isfinite(pcm).all():
        raise UnsupportedAudio("pcm has samples that are infinite or no number")
    if pcm.itemsize > 4:  # doubles may be beyond single precision: absurd, but not infinite
        limit = np.finfo(np.float32).max
        pcm = pcm.clip(-limit, limit)
    return pcm.astype(np.float32, copy=False)


def check_scale(pcm: Floats) -> None:
    """Raise `UnsupportedAudio` if the samples of a whole recording do not have full scale +-1, such
    as floats that were converted from 16-bit integers."""
    size = np.abs(pcm)
    if pcm.size and (size > ABSURD).mean() > ABSURD_SHARE:
        raise UnsupportedAudio(
            f"pcm reaches {size.max():g}, but full scale is 1: divide it by its own full scale "
            "(32768 for samples of 16 bits), or give integers as they are"
        )


def _array(pcm: Any) -> NDArray[Any]:
    """Convert an object to a numeric array."""
    try:
        if hasattr(pcm, "detach"):  # a tensor, which may have a gradient or be on another device
            pcm = pcm.detach().cpu().numpy()
        array: NDArray[Any] = np.asarray(pcm)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(pcm).__name__
        message = f"pcm is a {kind} that cannot be made an array, but nacli takes {ACCEPTED}"
        raise UnsupportedAudio(message) from error
    if array.dtype.kind not in "fiu":
        raise UnsupportedAudio(f"pcm is a {type(pcm).__name__}, but nacli takes {ACCEPTED}")
    return array


def _scaled(pcm: NDArray[Any], zero: int, full_scale: int) -> Floats:
    """Divide integers by their full scale, in double precision, which 32 bits need."""
    return ((pcm.astype(np.float64) - zero) / full_scale).astype(np.float32)
