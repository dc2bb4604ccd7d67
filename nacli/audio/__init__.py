"""Audio files and pipes to pcm and back, and resampling. Only this package uses libsndfile, soxr
and mutagen.

Each name below is imported on first use: an encoder starts without what writes audio files, and a
decoder without what reads them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacli.audio.channel_mask import is_mask
    from nacli.audio.containers import check_depth
    from nacli.audio.durations import header_seconds
    from nacli.audio.pcm import BIT_DEPTHS, SHORT_NAMES, AudioInfo
    from nacli.audio.reader import AudioReader
    from nacli.audio.resampler import Resampler
    from nacli.audio.samples import check_supported
    from nacli.audio.seekable_resampler import SeekableResampler
    from nacli.audio.writer import AudioWriter

__all__ = [
    "BIT_DEPTHS",
    "SHORT_NAMES",
    "AudioInfo",
    "AudioReader",
    "AudioWriter",
    "Resampler",
    "SeekableResampler",
    "check_depth",
    "check_supported",
    "header_seconds",
    "is_mask",
]

_MODULES = {
    "BIT_DEPTHS": "pcm",
    "SHORT_NAMES": "pcm",
    "AudioInfo": "pcm",
    "AudioReader": "reader",
    "AudioWriter": "writer",
    "Resampler": "resampler",
    "SeekableResampler": "seekable_resampler",
    "check_depth": "containers",
    "check_supported": "samples",
    "header_seconds": "durations",
    "is_mask": "channel_mask",
}


def __getattr__(name: str) -> Any:
    """Import a name from its module when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'nacli.audio' has no attribute {name!r}")
    return getattr(importlib.import_module(f"nacli.audio.{_MODULES[name]}"), name)
