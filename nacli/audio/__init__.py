"""Audio files and pipes to pcm and back, and sample rates: the one door to libsndfile and soxr."""

from nacli.audio.pcm import SHORT_NAMES, AudioInfo
from nacli.audio.reader import AudioReader, check_supported
from nacli.audio.resampler import Resampler
from nacli.audio.seekable_resampler import SeekableResampler
from nacli.audio.writer import AudioWriter

__all__ = [
    "SHORT_NAMES",
    "AudioInfo",
    "AudioReader",
    "AudioWriter",
    "Resampler",
    "SeekableResampler",
    "check_supported",
]
