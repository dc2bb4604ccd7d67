"""Audio files and pipes to pcm and back, and resampling. Only this package uses libsndfile, soxr
and mutagen."""

from nacli.audio.channel_mask import is_mask
from nacli.audio.containers import check_depth
from nacli.audio.durations import header_seconds
from nacli.audio.pcm import BIT_DEPTHS, SHORT_NAMES, AudioInfo
from nacli.audio.reader import AudioReader, check_supported
from nacli.audio.resampler import Resampler
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
