"""Stereo by the shipped model: sound stays where it is, and sound from one direction costs what
mono does; by the fake model: packets of any length, seeking and damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import nacli
from nacli.decoder.stream import Decoder
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.format import Packet
from recordings import events, sound

TALK, RATE = soundfile.read(
    Path(__file__).parents[1] / "data" / "talk.flac", frames=36_000, dtype="float32"
)
PANNED = (np.cos(0.35), np.sin(0.35))


def decibels(pcm: np.ndarray) -> float:
    return float(10 * np.log10(np.square(pcm, dtype=np.float64).mean() + 1e-18))


def mean_bytes(pcm: np.ndarray) -> float:
    """Return the mean size of files of this sound at five loudnesses: gains are rounded, and a
    single size varies by 2% with the loudness."""
    scales = (0.8, 0.9, 1, 1.1, 1.2)
    return float(np.mean([len(nacli.encode(scale * pcm, RATE, quality=5)) for scale in scales]))


@pytest.fixture(scope="module")
def mono_bytes() -> float:
    return mean_bytes(TALK)


@pytest.mark.parametrize("pair", [(1, 0), (0, 1), (1, 1), (1, -1), PANNED])
def test_sound_from_one_direction_costs_what_mono_does(
    pair: tuple[float, float], mono_bytes: float
) -> None:
    """And it comes back from there alone."""
    direction = np.array(pair, dtype=np.float32)
    assert mean_bytes(TALK[:, None] * direction) < 1.05 * mono_bytes + 10
    decoded, _ = nacli.decode(nacli.encode(TALK[:, None] * direction, RATE, quality=5))
    angle = np.arctan2(direction[1], direction[0])
    along = decoded @ [np.cos(angle), np.sin(angle)]
    across = decoded @ [-np.sin(angle), np.cos(angle)]
    assert decibels(along) - decibels(across) > (35 if pair == PANNED else 100)
    assert abs(decibels(along) - decibels(TALK * np.hypot(*direction))) < 1


@pytest.mark.parametrize("side", [0, 1])
def test_a_noise_floor_takes_no_bits_of_the_voice_beside_it(side: int, mono_bytes: float) -> None:
    """It has -80 dB, as in recordings with one microphone, and keeps its level."""
    pcm = 1e-4 * np.random.default_rng(0).standard_normal((len(TALK), 2)).astype(np.float32)
    pcm[:, side] += TALK
    assert mean_bytes(pcm) < 1.06 * mono_bytes + 10
    decoded, _ = nacli.decode(nacli.encode(pcm, RATE, quality=5))
    assert decibels(decoded[:, 1 - side]) < -77


def turning(rate: int) -> np.ndarray:
    """Noise that is left, then right, inverted, equal, silent, panned, and of two sources."""
    pairs = [(1, 0), (0, 1), (1, -1), (1, 1), (0, 0), (0.2, 0.7)]
    parts = [sound(rate // 3, seed=seed) * pair for seed, pair in enumerate(pairs)]
    return np.concatenate([*parts, sound(rate // 3, 2)]).astype(np.float32)


def encoded(model: Any, rate: int, frames: int) -> tuple[np.ndarray, bytes]:
    pcm = turning(rate)
    encoder = Encoder(model, rate, 2, EncoderSettings(22.0, packet_frames=frames))
    return pcm, encoder.encode(pcm) + encoder.finish()


@pytest.mark.parametrize("rate", [24_000, 48_000])
@pytest.mark.parametrize("frames", [1, 3, 25, 150])
def test_any_start_gives_the_same_samples(model: Any, rate: int, frames: int) -> None:
    pcm, data = encoded(model, rate, frames)
    decoder = Decoder(model)
    whole = np.concatenate([decoder.decode(data), decoder.finish()])
    assert whole.shape == pcm.shape
    for start in (1, rate // 3 - 7, rate + 1, 2 * rate):
        part = Decoder(model, start=f"{start}smp", stop=f"{start + 3000}smp")
        found = np.concatenate([part.decode(data), part.finish()])
        np.testing.assert_allclose(found, whole[start : start + 3000], rtol=0, atol=2e-6)


def test_a_gap_holds_the_angle(model: Any) -> None:
    """Sound that is on the left stays there while it fades, and there is no sound on the right
    until the packet after the gap."""
    pcm = sound(48_000) * np.array([1, 0], dtype=np.float32)
    encoder = Encoder(model, 24_000, 2, EncoderSettings(22.0, packet_frames=15))
    data = encoder.encode(pcm.astype(np.float32)) + encoder.finish()
    payload = [event.payload for event in events(data) if isinstance(event, Packet)][4]
    gaps: list[Any] = []
    decoder = Decoder(model, on_gap=gaps.append)
    found = decoder.decode(data.replace(payload, payload[:-1] + bytes([payload[-1] ^ 1])))
    found = np.concatenate([found, decoder.finish()])
    assert len(gaps) == 1
    assert decibels(found[:, 0]) > -60
    assert not found[:, 1].any()
