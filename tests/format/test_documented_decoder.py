"""FORMAT.md is enough to write a decoder: one that was written from it gives the same samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import nacli
from documented_codes import Recording, read_file
from documented_model import ModelFile
from documented_synthesis import HOP, high_band, restore, synthesize
from filter_network import filter_tensors
from nacli.checkpoint import FILTER, default_path, save_checkpoint

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model_file() -> ModelFile:
    return ModelFile(default_path())


@pytest.mark.parametrize(("name", "seconds"), [("talk-1.5", 3), ("stereo-12", 1)])
def test_it_decodes_the_golden_files(name: str, seconds: float, model_file: ModelFile) -> None:
    data = (TESTS / "golden" / f"{name}.nac").read_bytes()
    recording = read_file(data, model_file)
    coded = [
        synthesize(recording.packets, model_file, channel) for channel in range(recording.channels)
    ]
    pcm = np.stack(coded, axis=1)
    if recording.mode == 1:
        pcm = restore(pcm, hop_angles(recording, 0, len(pcm) // HOP))
    pcm = pcm[: recording.samples]
    decoded, rate = nacli.decode(data)
    assert rate == recording.sample_rate
    assert np.abs(decoded).max() > 0.1
    np.testing.assert_allclose(pcm, decoded, rtol=0, atol=1e-4)


def test_it_decodes_with_an_adaptive_filter(tmp_path: Path) -> None:
    """With random weights, which change every band."""
    shipped, path = nacli.load_model(), tmp_path / "filtering.safetensors"
    tensors = {name: x for name, x in shipped.tensors.items() if not name.startswith(FILTER)}
    network = filter_tensors(shipped.config.width)
    tensors |= {FILTER + name: tensor for name, tensor in network.items()}
    save_checkpoint(path, shipped.config, tensors, {})
    model = nacli.load_model(path)
    talk, rate = soundfile.read(TESTS / "data" / "talk.flac", frames=24_000, dtype="float32")
    data = nacli.encode(talk, rate, bitrate=3, packet_frames=40, model=model)
    recording = read_file(data, ModelFile(path))
    pcm = synthesize(recording.packets, ModelFile(path), 0)[: recording.samples]
    decoded, _ = nacli.decode(data, model=model)
    np.testing.assert_allclose(pcm, decoded[:, 0], rtol=0, atol=1e-4)
    model.filter_network = None
    unfiltered, _ = nacli.decode(data, model=model)
    assert np.abs(unfiltered - decoded).max() > 0.03
    part, _ = nacli.decode(data, model=nacli.load_model(path), start="11111smp")
    np.testing.assert_allclose(part, decoded[11_111:], rtol=0, atol=1e-6)


def hop_angles(recording: Recording, band: int, hops: int) -> list[int]:
    """The angle of each hop in a band."""
    pairs = zip(recording.angles, recording.packets, strict=True)
    by_frame = [turned[band] for turned, packet in pairs for _ in packet[0].gains]
    return by_frame[:hops]


def test_it_decodes_stereo_that_turns(model_file: ModelFile) -> None:
    """A voice on the left, then inverted, with treble on the right: no two angles are equal."""
    talk, rate = soundfile.read(TESTS / "data" / "talk.flac", frames=9600, dtype="float32")
    talk = soxr.resample(talk, rate, 48_000)[:19_200]
    noise = 0.05 * np.random.default_rng(0).standard_normal(19_200).astype(np.float32)
    pcm = np.stack([talk, np.where(np.arange(19_200) < 9600, 0.0, -talk)], axis=1)
    pcm[:, 1] += noise - lowpass(noise)
    data = nacli.encode(pcm.astype(np.float32), 48_000, bitrate=12, packet_frames=10)
    recording = read_file(data, model_file)
    assert len({tuple(turned) for turned in recording.angles}) > 1
    coded = np.stack([synthesize(recording.packets, model_file, c) for c in (0, 1)], axis=1)
    high = np.stack([high_band(coded[:, c], recording.packets, c) for c in (0, 1)], axis=1)
    hops = len(coded) // HOP
    coded = restore(coded, hop_angles(recording, 0, hops))
    high = restore(high, hop_angles(recording, 1, hops))
    joined = soxr.resample(coded, 24_000, 48_000) + high
    decoded, _ = nacli.decode(data)
    np.testing.assert_allclose(joined[: len(decoded)], decoded, rtol=0, atol=1e-4)


def lowpass(sound: np.ndarray) -> np.ndarray:
    """The part of a sound at 48 kHz below 12 kHz."""
    return soxr.resample(soxr.resample(sound, 48_000, 24_000), 24_000, 48_000)


def test_it_decodes_a_file_with_a_high_band(model_file: ModelFile) -> None:
    talk, rate = soundfile.read(TESTS / "data" / "talk.flac", frames=12_000, dtype="float32")
    noise = np.random.default_rng(0).standard_normal(24_000).astype(np.float32)
    pcm = soxr.resample(talk, rate, 48_000)[:24_000] + 0.05 * noise
    data = nacli.encode(pcm, 48_000, bitrate=6)
    recording = read_file(data, model_file)
    coded = synthesize(recording.packets, model_file, 0)
    high = high_band(coded, recording.packets, 0)
    decoded, _ = nacli.decode(data)
    joined = soxr.resample(coded, 24_000, 48_000) + high
    assert np.square(high).mean() > 1e-5
    np.testing.assert_allclose(joined[: len(decoded)], decoded[:, 0], rtol=0, atol=1e-4)
