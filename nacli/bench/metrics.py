"""Quality metrics that compare a decoded recording with its original, both mono samples [T].

Log-mel distance, STFT distance, signal-to-distortion ratio and level error need only NumPy. PESQ,
STOI and ViSQOL come from the packages `pesq`, `pystoi` and `visqol-python`, which `pip install
nacli[bench]` installs; they return NaN for recordings that are too short or too quiet.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]
SPEECH_RATE = 16_000
"""Sample rate of wideband PESQ and STOI in Hz."""
VISQOL_RATE = 48_000
"""Sample rate of the audio mode of ViSQOL in Hz."""
FLOOR = 1e-5
"""Magnitude that is the floor of log spectra: -100 dB."""
BRIGHTNESS_CUTOFF = 4000
"""Lower end in Hz of the frequencies that count for brightness."""


def spectrogram(pcm: Samples, size: int) -> NDArray[np.float64]:
    """Return magnitudes [frames, size / 2 + 1], with a Hann window of unit sum and hop size / 4."""
    pcm = np.pad(np.asarray(pcm, dtype=np.float64), size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(pcm, size)[:: size // 4]
    window = np.hanning(size + 1)[:-1]
    return np.abs(np.fft.rfft(frames * (window / window.sum()), axis=1))


@cache
def mel_bands(rate: int, size: int, count: int) -> NDArray[np.float64]:
    """Return triangular bands [count, size / 2 + 1], evenly spaced in mel up to half the rate."""
    top = 2595 * np.log10(1 + rate / 1400)
    edges = 700 * (10 ** (np.linspace(0, top, count + 2) / 2595) - 1)
    bins = np.linspace(0, rate / 2, size // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling))


def log_mel_distance(reference: Samples, decoded: Samples, rate: int) -> float:
    """Return the mean absolute difference of natural log-mel magnitudes, with 80 bands and windows
    of about 43 ms."""
    size = 1 << round(np.log2(rate * 0.043))
    bands = mel_bands(rate, size, 80)
    levels = [np.log(spectrogram(pcm, size) @ bands.T + FLOOR) for pcm in (reference, decoded)]
    return float(np.abs(levels[0] - levels[1]).mean())


def stft_distance(reference: Samples, decoded: Samples, rate: int) -> float:
    """Return the spectral convergence plus the mean absolute difference of natural log magnitudes,
    averaged over windows of about 21, 43 and 85 ms (Yamamoto et al., 2020)."""
    distances = []
    for seconds in (0.021, 0.043, 0.085):
        size = 1 << round(np.log2(rate * seconds))
        first, second = (spectrogram(pcm, size) for pcm in (reference, decoded))
        convergence = np.linalg.norm(first - second) / max(float(np.linalg.norm(first)), 1e-20)
        logs = np.log(np.maximum(first, FLOOR)) - np.log(np.maximum(second, FLOOR))
        distances.append(convergence + np.abs(logs).mean())
    return float(np.mean(distances))


def si_sdr(reference: Samples, decoded: Samples) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019)."""
    reference = np.asarray(reference, dtype=np.float64)
    energy = float(reference @ reference)
    target = reference * (float(reference @ decoded) / max(energy, 1e-20))
    noise = decoded - target
    ratio = max(float(target @ target), 1e-20) / max(float(noise @ noise), 1e-20)
    return float(10 * np.log10(ratio))


def level_error(reference: Samples, decoded: Samples) -> float:
    """Return the absolute difference of the RMS levels in dB."""
    powers = [float(np.square(pcm, dtype=np.float64).mean()) for pcm in (reference, decoded)]
    first, second = (10 * np.log10(power + FLOOR**2) for power in powers)
    return float(abs(first - second))


def brightness(reference: Samples, decoded: Samples, rate: int) -> float:
    """Return the energy above 4 kHz relative to that of the reference, in dB: negative values are
    duller. The result is NaN if the reference has almost no energy there."""
    size = 1 << round(np.log2(rate * 0.043))
    bright = np.fft.rfftfreq(size, 1 / rate) > BRIGHTNESS_CUTOFF
    energies = [
        float(np.square(spectrogram(pcm, size)[:, bright]).sum(1).mean())
        for pcm in (reference, decoded)
    ]
    if energies[0] < FLOOR**2:
        return float("nan")
    return float(10 * np.log10((energies[1] + FLOOR**2) / (energies[0] + FLOOR**2)))


def pesq_wb(reference: Samples, decoded: Samples) -> float:
    """Return the wideband PESQ (ITU-T P.862.2) of speech at 16 kHz; NaN if PESQ finds no speech."""
    import pesq

    try:
        return float(pesq.pesq(SPEECH_RATE, np.asarray(reference), np.asarray(decoded), "wb"))
    except pesq.PesqError:
        return float("nan")


def stoi(reference: Samples, decoded: Samples, extended: bool = False) -> float:
    """Return the short-time objective intelligibility of speech at 16 kHz (Taal et al., 2011)."""
    import pystoi

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # instead of 0.00001 for too little speech
        try:
            return float(pystoi.stoi(reference, decoded, SPEECH_RATE, extended))
        except RuntimeWarning:
            return float("nan")


def estoi(reference: Samples, decoded: Samples) -> float:
    """Return the extended STOI of speech at 16 kHz (Jensen and Taal, 2016)."""
    return stoi(reference, decoded, extended=True)


def visqol(reference: Samples, decoded: Samples) -> float:
    """Return the score of ViSQOL v3 in audio mode at 48 kHz (Chinen et al., 2020): 1 to 4.73."""
    pair = (np.asarray(signal, dtype=np.float64) for signal in (reference, decoded))
    try:
        return float(_visqol().measure_from_arrays(*pair, VISQOL_RATE).moslqo)
    except ValueError:
        return float("nan")


@cache
def _visqol() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    return api
