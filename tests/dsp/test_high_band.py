"""The high band: levels there and back, noise at these levels, and streams that have one."""

from __future__ import annotations

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_model import make_model
from nacli.audio import Resampler
from nacli.decoder.stream import Decoder
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.high_band import (
    BANDS,
    LEVELS,
    RATE,
    SPAN_FRAMES,
    frame_levels,
    span_count,
    span_frames,
)
from nacli.dsp.high_band_analysis import HighBandAnalyzer, level_trajectories
from nacli.dsp.high_band_synthesis import HighBandSynthesizer, random_phases
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.entropy import HighBandTables, frequencies

HOP, FRAMES = 320, 150


def tables(seed: int = 0) -> HighBandTables:
    random = np.random.default_rng(seed)
    shapes = ((1, BANDS + 1), (6, 2 * LEVELS - 1))
    return HighBandTables(*(frequencies(random.integers(1, 50, shape)) for shape in shapes))


def noise(seconds: float = 2.0, size: float = 0.05) -> np.ndarray:
    samples = round(seconds * RATE)
    pcm = size * np.random.default_rng(1).normal(size=(samples, 1))
    return pcm.astype(np.float32)


def analysed(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of mono sound [T, 1] at RATE: the coded signal [1, T / 2], and the energies of its hops above
    [F, BANDS] and below [F, ...]."""
    down = Resampler(RATE, RATE // 2, 1)
    coded = np.concatenate([down.process(pcm), down.flush()]).T
    meter = HighBandAnalyzer(Resampler(RATE, RATE, 1), 1, HOP)
    meter.push(pcm)
    below = BandEnergyMeter(1, bark_spectra(HOP, RATE // 2)).measure(coded)[0]
    return coded, meter.take(len(below))[0], below


@given(st.integers(0, 40), st.integers(0, BANDS), st.integers(0, 1000))
def test_levels_survive_the_coder_and_take_what_is_said(spans: int, bands: int, seed: int) -> None:
    levels = np.random.default_rng(seed).integers(0, LEVELS, (spans, bands)).astype(np.int32)
    model, coder = tables(seed), constriction.stream.stack.AnsCoder()
    model.push(coder, levels)
    assert coder.num_valid_bits() == pytest.approx(model.bits(levels), abs=40)
    np.testing.assert_array_equal(model.pop(coder, spans), levels)


def test_levels_out_of_range_are_refused() -> None:
    """A change of a level that is as high as can be."""
    model, top = tables(), np.full((1, BANDS), LEVELS - 1, dtype=np.int32)
    levels = np.concatenate([top, top + 1])
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, levels)
    with pytest.raises(ValueError, match="out of range"):
        model.pop(coder, 2)


def test_broken_tables_are_refused() -> None:
    whole = tables(1)
    with pytest.raises(ValueError, match="lack rows"):
        HighBandTables(whole.band_counts, whole.differences[:4])
    assert HighBandTables.none().bands == 0


def test_spans_are_longer_where_there_are_fewer_stages() -> None:
    for most, frames in ((16, 2), (9, 2), (8, 4), (5, 4), (4, 8), (0, 8)):
        counts = np.array([0, most, 0], dtype=np.int32)
        assert span_frames(counts) == frames and span_count(counts) == -(-3 // frames)


def test_what_comes_back_has_the_level_of_the_original() -> None:
    """In every band, in loud and in quiet parts."""
    loud = np.where(np.arange(2 * RATE) // (RATE // 2) % 2, 1.0, 0.1)[:, None]
    coded, high, below = analysed((noise() * loud).astype(np.float32))
    for _, frames in SPAN_FRAMES:
        counts = np.full(FRAMES, {2: 12, 4: 6, 8: 1}[frames], dtype=np.int32)
        levels = frame_levels(level_trajectories(high, below, frames), counts)
        made = HighBandSynthesizer(1, HOP, 0, 0).process(coded, levels[None]).T
        _, again, _ = analysed(made)
        parts = (slice(8, 32), slice(46, 70))  # away from where the level changes
        for part in parts:
            change = 10 * np.log10(again[part].mean(0) / high[part].mean(0))
            assert np.abs(change).max() < 2.5, frames


def test_sound_in_the_high_band_alone_keeps_its_level() -> None:
    """Where nothing is below that its noise could follow."""
    spectrum = np.fft.rfft(noise()[:, 0])
    frequencies = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    spectrum[(frequencies < 14_000) | (frequencies > 19_000)] = 0
    pcm = np.fft.irfft(spectrum).astype(np.float32)[:, None]
    _, high, below = analysed(pcm)
    nothing, counts = np.zeros((1, FRAMES * HOP), np.float32), np.zeros(FRAMES, np.int32)
    levels = frame_levels(level_trajectories(high, 0 * below, 8), counts)
    made = HighBandSynthesizer(1, HOP, 0, 0).process(nothing, levels[None])
    change = 10 * np.log10(np.square(made).mean() / np.square(pcm).mean())
    assert abs(change) < 3


def test_silence_stays_silent_and_dither_is_nothing() -> None:
    for pcm in (np.zeros((RATE, 1), np.float32), noise(1, 0.3 / 32768)):
        coded, high, below = analysed(pcm)
        found = [level_trajectories(high, below, frames) for _, frames in SPAN_FRAMES]
        assert all(levels.shape[1] == 0 for levels in found)
        levels = frame_levels(found[-1], np.zeros(75, np.int32))[None]
        assert not HighBandSynthesizer(1, HOP, 0, 0).process(coded, levels).any()


def test_the_high_band_follows_what_is_below_it_within_a_span() -> None:
    """A burst in a span of 107 ms stays a burst."""
    pcm = noise(1)
    pcm[: RATE // 2] = pcm[RATE // 2 + 960 :] = 0
    coded, high, below = analysed(pcm)
    levels = frame_levels(level_trajectories(high, below, 8), np.zeros(75, np.int32))[None]
    made = HighBandSynthesizer(1, HOP, 0, 0).process(coded, levels)[0]
    inside = np.square(made[RATE // 2 - 480 : RATE // 2 + 1440]).sum()
    assert inside > 0.8 * np.square(made).sum() > 0  # evenly it would be 0.4


def test_any_cutting_and_any_start_give_the_same_noise() -> None:
    coded, high, below = analysed(noise())
    levels = frame_levels(level_trajectories(high, below, 2), np.full(FRAMES, 16, np.int32))[None]
    whole = HighBandSynthesizer(1, HOP, 5, 3).process(coded, levels)
    band, parts = HighBandSynthesizer(1, HOP, 5, 3), []
    for start in range(0, FRAMES, 7):
        part = slice(start * HOP, (start + 7) * HOP)
        parts.append(band.process(coded[:, part], levels[:, start : start + 7]))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
    np.testing.assert_array_equal(random_phases(10, 2, 4)[:, 2:], random_phases(12, 2, 2))
    first, second = random_phases(0, 2, 50)
    for other in (second, np.roll(first, 1, axis=0), np.roll(first, 1, axis=1)):
        assert abs((first * other.conj()).mean()) < 0.05


@pytest.mark.parametrize(("rate", "has"), [(24_000, False), (32_000, True), (44_100, True)])
def test_streams_above_24_khz_have_one(rate: int, has: bool) -> None:
    """The fake model's does, too, at every place where a decoder may enter."""
    model = make_model()
    pcm = 0.1 * np.random.default_rng(3).normal(size=(2 * rate, 2)).astype(np.float32)
    encoder = Encoder(model, rate, 2, EncoderSettings(20.0, packet_frames=20))
    data = encoder.encode(pcm) + encoder.finish()
    decoder = Decoder(model)
    whole = np.concatenate([decoder.decode(data), decoder.finish()])
    assert whole.shape == pcm.shape
    spectrum = np.abs(np.fft.rfft(whole[:, 0])) ** 2
    above = spectrum[round(12_500 * len(pcm) / rate) :].mean() if has else 0.0
    assert (above > 0.05 * spectrum.mean()) == has
    start = rate + 123
    part = Decoder(model, start=f"{start}smp", stop=f"{start + 5000}smp")
    found = np.concatenate([part.decode(data), part.finish()])
    np.testing.assert_allclose(found, whole[start : start + 5000], atol=2e-6)
