"""Hard cases for a codec, synthesised and made from a recording of speech and one of music.

All cases but hiss start at 24 kHz, the coded sample rate, where no resampler rings into silence;
the cases named after a sample rate are resampled to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nacli.bench.clips import find_clips, read_clip, resample
from nacli.config import CODED_RATE as RATE
from nacli.dsp.high_band import RATE as HIGH_RATE
from nacli.dsp.high_band import RATIO
from nacli.types import Doubles, Pcm

PEAK = 0.5
"""Peak of speech and music before a case changes them."""
SAMPLE_RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000)


@dataclass(frozen=True)
class Case:
    """A sound [T, C] at a rate; `tones` are the frequencies in Hz of a sound of tones only."""

    name: str
    pcm: Pcm
    rate: int = RATE
    tones: tuple[float, ...] = ()


def recordings(clips: Path, seconds: float) -> tuple[Doubles, Doubles]:
    """Return speech and music [T] from the folders of these names in `clips`, or the first clip of
    `clips` and synthesised music."""
    groups = [clips / "speech", clips / "music"]
    speech = _read(groups[0] if groups[0].is_dir() else clips, seconds)
    music = _read(groups[1], seconds) if groups[1].is_dir() else made_music(seconds)
    return speech, music


def _read(folder: Path, seconds: float) -> Doubles:
    clip = read_clip(find_clips((str(folder),))[0], seconds, mono=True)
    return normal(resample(clip.pcm, clip.rate, RATE)[:, 0])


def normal(sound: NDArray[np.floating]) -> Doubles:
    """Scale a sound to PEAK."""
    return np.asarray(sound * (PEAK / np.abs(sound).max()), dtype=np.float64)


def made_music(seconds: float) -> Doubles:
    """Synthesise two plucked notes a second with ten harmonics, a bass, and noise on every beat."""
    time = np.arange(int(seconds * RATE)) / RATE
    beat, random = time % 0.5, np.random.default_rng(0)
    pitch = 220 * 2 ** (np.array([0, 4, 7, 12, 9, 5])[(time / 0.5).astype(int) % 6] / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    notes = sum(np.sin(n * phase) * np.exp(-beat * 3 * n) / n for n in range(1, 11))
    drum = random.normal(size=len(time)) * np.exp(-beat * 60)
    return normal(notes + np.sin(phase / 4) + 0.5 * drum)


def cases(speech: Doubles, music: Doubles) -> Iterator[Case]:
    """Yield all cases, most of them as long as the speech; their names differ."""
    for name, sound in [*_levels(speech), *_noises(speech, music), *_tones(len(speech))]:
        yield Case(name, _column(sound))
    time = np.arange(len(speech)) / RATE
    for hertz in (100.0, 1000.0, 5000.0, 9000.0):
        yield Case(f"tone of {hertz:g} Hz", _column(_sine(time, hertz)), tones=(hertz,))
    chord = (220.0, 277.18, 329.63, 440.0)
    yield Case(
        "chord", _column(np.mean([_sine(time, hertz) for hertz in chord], axis=0)), tones=chord
    )
    for rate in SAMPLE_RATES:
        yield Case(f"speech at {rate} Hz", resample(_column(speech), RATE, rate), rate)
    yield Case("music at 44100 Hz", resample(_column(music), RATE, 44100), 44100)
    hiss = with_gaps(noise(RATIO * len(speech), 0), RATIO * 0.7, RATIO * 0.2)
    yield Case("hiss with silent gaps at 48000 Hz", _column(hiss), HIGH_RATE)
    nothing = np.zeros_like(speech)
    yield Case("stereo, equal channels", np.tile(_column(speech), 2))
    yield Case("stereo, one silent", np.hstack([_column(speech), _column(nothing)]))


def _levels(speech: Doubles) -> Iterator[tuple[str, Doubles]]:
    """Quiet, hot, offset, and broken up by digital silence."""
    yield "speech", speech
    yield "speech, -40 dB", speech * decibels(-40)
    yield "speech, -60 dB", speech * decibels(-60)
    yield "speech, clipped at 0 dBFS", np.clip(speech * decibels(16), -1, 1)
    yield "speech, peaks at +6 dBFS", speech * decibels(12)
    yield "speech with silent gaps", with_gaps(speech)
    half = np.zeros(RATE // 2)
    yield "speech between silences", np.concatenate([half, speech, half])
    dither = np.rint(np.random.default_rng(3).triangular(-1, 0, 1, len(speech))) / 32768
    yield "dither of 16 bits", dither
    yield "speech, DC offset 0.1", speech * 0.5 + 0.1


def _noises(speech: Doubles, music: Doubles) -> Iterator[tuple[str, Doubles]]:
    """Yield speech and music mixed with other sounds, and cut."""
    white, pink = noise(len(speech), 0), noise(len(speech), 1)
    yield "speech in white noise, 10 dB", mixed(speech, white, 10)
    yield "speech in pink noise, 10 dB", mixed(speech, pink, 10)
    yield "white noise", white
    time = np.arange(len(speech)) / RATE
    hum = np.stack([_sine(time, 50.0 * n) / n for n in (1, 2, 3, 5, 7)]).sum(0)
    yield "speech with hum, 10 dB", mixed(speech, hum, 10)
    music = np.resize(music, len(speech))
    yield "speech over music, 6 dB", mixed(speech, music, 6)
    yield "music", music
    yield "music, bass +18 dB", bass(music, 18)
    yield "music, cut at both ends", music[len(music) // 3 : -len(music) // 4]


def _tones(length: int) -> Iterator[tuple[str, Doubles]]:
    time = np.arange(length) / RATE
    yield "impulses in silence", impulses(length, every=0.31)
    yield "click track", impulses(length, every=0.25, ringing=0.002)
    top, end = 11_000 / 20, time[-1]
    yield (
        "sweep, 20 Hz to 11 kHz",
        PEAK * np.sin(2 * np.pi * 20 * end / np.log(top) * (top ** (time / end) - 1)),
    )


def _sine(time: Doubles, hertz: float) -> Doubles:
    return PEAK * np.sin(2 * np.pi * hertz * time)


def _column(sound: Doubles) -> Pcm:
    return np.asarray(sound, dtype=np.float32)[:, None]


def decibels(value: float) -> float:
    """Return the amplitude factor of a level in dB."""
    return float(10 ** (value / 20))


def noise(length: int, colour: float) -> Doubles:
    """Return noise whose power falls with frequency ** `colour`: 0 is white, 1 is pink."""
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(size=length))
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 20)
    return normal(np.fft.irfft(spectrum / hertz ** (colour / 2), length))


def mixed(sound: Doubles, other: Doubles, ratio: float) -> Doubles:
    """Mix a sound with another one whose level is `ratio` dB lower."""
    return normal(sound + other * decibels(-ratio) * sound.std() / other.std())


def bass(sound: Doubles, gain: float) -> Doubles:
    """Raise a sound by `gain` dB below about 150 Hz."""
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    shelf = 1 + (decibels(gain) - 1) / (1 + (hertz / 150) ** 4)
    return normal(np.fft.irfft(np.fft.rfft(sound) * shelf, len(sound)))


def with_gaps(sound: Doubles, every: float = 0.7, gap: float = 0.2) -> Doubles:
    """Replace `gap` seconds of every `every` seconds by digital silence, without a fade."""
    position = np.arange(len(sound)) % int(every * RATE)
    return np.where(position < int((every - gap) * RATE), sound, 0.0)


def impulses(length: int, every: float, ringing: float = 0.0) -> Doubles:
    """Repeat a single sample at PEAK, or noise that rings for about `ringing` seconds."""
    position = np.arange(length) % int(every * RATE) - int(every * RATE) // 2
    if not ringing:
        return np.where(position == 0, PEAK, 0.0)
    decay = np.exp(-position / (ringing * RATE), where=position >= 0, out=np.zeros(length))
    click = normal(np.random.default_rng(2).normal(size=length) * decay)
    return np.where(decay > 1e-3, click, 0.0)
