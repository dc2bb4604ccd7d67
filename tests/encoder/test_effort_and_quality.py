"""Efforts and qualities: the bitrate is kept, and more of each gives better sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from fake_model import CONFIG, make_model
from nacli.api import decode, encode
from nacli.cli import main
from nacli.dsp.filterbank import BANDS
from nacli.encoder.analyzer import Analyzer
from nacli.encoder.code_search import CodeSearch, marginal_values, rate_costs, select
from nacli.encoder.packet_analysis import PacketAnalysis
from nacli.encoder.packet_encoder import PacketEncoder
from nacli.encoder.settings import DEFAULT_EFFORT, EFFORTS, EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.format import Packet, Parser, fixed_bytes
from nacli.jobs.options import EncodeOptions
from nacli.quantizer.allocation import LEVELS_PER_STAGE, Allocation
from nacli.quantizer.rvq import dequantize
from recordings import header_of, pieces, sound

MODELS = [make_model(), make_model(learned=True)]
every_model = pytest.mark.parametrize("model", MODELS, ids=["tables", "learned"])
every_effort = pytest.mark.parametrize("effort", range(len(EFFORTS)))


@every_model
@every_effort
@pytest.mark.parametrize(("channels", "bitrate"), [(1, 1.5), (1, 2.5), (2, 4)])
def test_the_bitrate_is_kept_at_every_effort(
    effort: int, model: Any, channels: int, bitrate: float
) -> None:
    pcm = sound(100_000, channels)
    data = encode(pcm, 24_000, bitrate=bitrate, effort=effort, model=model)
    kbps = (len(data) - fixed_bytes(header_of(data))) * 8 / 1000 / (len(pcm) / 24_000)
    assert kbps <= bitrate
    assert decode(data, model=model)[0].shape == pcm.shape


@every_effort
@pytest.mark.parametrize("how", [{"bitrate": 2.0}, {"quality": 3.0}])
def test_any_cutting_gives_the_same_bytes(effort: int, how: dict[str, Any]) -> None:
    pcm, model = sound(60_011, 2), MODELS[1]
    settings = EncoderSettings(effort=effort, **how)
    encoder = Encoder(model, 24_000, 2, settings, samples=len(pcm))
    made = [encoder.encode(piece) for piece in pieces(pcm, [5, 24_000, 24_001, 50_000])]
    whole = encode(pcm, 24_000, effort=effort, model=model, **how)
    assert b"".join([*made, encoder.finish()]) == whole


@every_model
@every_effort
def test_more_quality_takes_more_bytes(effort: int, model: Any) -> None:
    pcm = sound(60_000)
    files = [encode(pcm, 24_000, quality=q, effort=effort, model=model) for q in (0, 0.5, 1.5)]
    assert len(files[0]) < len(files[1]) < len(files[2])
    errors = [np.square(decode(data, model=model)[0] - pcm).mean() for data in files]
    assert errors[0] > errors[2]


def test_a_quality_spends_little_on_silence_and_on_quiet_sound() -> None:
    silence = encode(np.zeros((240_000, 1), np.float32), 24_000, quality=5, model=MODELS[0])
    assert len(silence) * 8 / 10 < 300
    loud, quiet = sound(48_000), 0.001 * sound(48_000, seed=2)
    sizes, alone = (
        packet_sizes(encode(pcm, 24_000, quality=2, packet_frames=75, model=MODELS[0]))
        for pcm in (np.concatenate([loud, quiet]), quiet)
    )
    assert sizes[3] < 0.7 * alone[1]


def packet_sizes(data: bytes) -> list[int]:
    parser = Parser()
    events = [*parser.feed(data), *parser.finish()]
    return [len(event.payload) for event in events if isinstance(event, Packet)]


def test_a_sufficient_signal_to_noise_ratio_ends_the_stages() -> None:
    model, random = MODELS[0], np.random.default_rng(0)
    codes = random.integers(0, CONFIG.codebook_size, (75, 4)).astype(np.int32)
    latents = dequantize(codes, np.full(75, 2, np.int32), model.codebooks)[None]
    gains = np.full((1, 75), 50, dtype=np.int32)
    counts = Allocation(gains, model.codebooks.stages).at_level
    analysis = PacketAnalysis(latents, gains, np.zeros((1, 75, BANDS), np.float32), counts)
    encoder = PacketEncoder(model, 1, EncoderSettings(packet_frames=75))
    packet = encoder.search(analysis, 12)
    (stopped,) = encoder.fit(packet, 10_000, 15.0).codes.channels
    (whole,) = encoder.fit(packet, 10_000, 1000.0).codes.channels  # deeper than it was searched
    assert whole.counts.min() == 4
    assert stopped.counts.max() == 2
    assert encoder.at_level(encoder.search(analysis, 32), 15.0).levels == (16,)
    assert encoder.at_level(encoder.search(analysis, 12), 15.0).levels == (12,)


def test_a_larger_lambda_takes_fewer_bits_and_leaves_more_error() -> None:
    model, random = MODELS[0], np.random.default_rng(0)
    latents = random.normal(size=(200, CONFIG.latent_dim)).astype(np.float32)
    counts = np.full(200, 4, dtype=np.int32)

    def measure(scale: float) -> tuple[float, float]:
        costs = rate_costs(model.codebooks, model.tables, scale)
        codes = select(CodeSearch(model.codebooks, 4, costs).search(latents, 4).paths, counts)
        error = np.square(latents - dequantize(codes, counts, model.codebooks)).sum()
        return float(model.tables.table_bits[np.arange(4), codes].sum()), float(error)

    (free, least), (some, more), (few, most) = (measure(scale) for scale in (0.0, 0.5, 2.0))
    assert free > some > few
    assert least < more < most


def test_bits_of_the_first_two_stages_are_charged_at_half_of_the_weight() -> None:
    books, own = MODELS[0].codebooks, MODELS[0].tables
    lambdas = rate_costs(books, own, 1.0) / own.table_bits
    scales = lambdas / marginal_values(books, own)[:, None]
    np.testing.assert_allclose(scales, np.array([[0.5], [0.5], [1], [1]]).repeat(16, 1), rtol=1e-5)


def test_a_candidate_that_is_not_kept_changes_nothing() -> None:
    """A packet that is first tried at another budget is encoded as if it had not been."""
    model, pcm = make_model(learned=True), sound(72_000)

    def packets(attempts: int) -> list[bytes]:
        analyzer = Analyzer(model, 24_000, 1, stereo=False, high_band=False)
        encoder = PacketEncoder(model, 1, EncoderSettings(packet_frames=75))
        analyzer.push(pcm)
        made = []
        for _ in range(3):
            packet = encoder.search_ahead(analyzer.take(75), 300)
            for budget in range(100, 100 + 60 * attempts, 60):
                encoder._loop.fit(packet, budget, 100.0, encoder._estimates)
            made.append(encoder.fit(packet, 300, 100.0).payload)
        return made

    assert packets(0) == packets(3)


@every_model
@pytest.mark.parametrize("frames", [3, 75])
def test_the_size_at_the_searched_level_is_that_of_its_candidate(frames: int, model: Any) -> None:
    """Gains, codes, high band and angles are all counted, and corrections apart."""
    analyzer = Analyzer(model, 48_000, 2, stereo=True, high_band=True)
    encoder = PacketEncoder(model, 2, EncoderSettings(packet_frames=frames))
    analyzer.push(sound(100_000, 2))
    packet = encoder.search_ahead(analyzer.take(frames), 4 * frames)
    assert packet.sizes is not None
    made = encoder._maker.make(packet, packet.max_level)
    assert made.counts.max() > 1 and made.correction_bits > 0
    assert packet.sizes.bits(packet.max_level) == pytest.approx(made.bits, rel=2e-3)
    assert packet.sizes.correction_bits(packet.max_level) == made.correction_bits
    fewer = [packet.sizes.bits(level) for level in range(packet.max_level)]
    assert 0 < min(fewer) < max(fewer) <= packet.sizes.bits(packet.max_level)
    stage_less = fewer[: 1 - LEVELS_PER_STAGE]  # in between, few frames may have the same counts
    assert max(stage_less) < made.bits


def test_options_out_of_range_are_refused(tmp_path: Path) -> None:
    for wrong in ({"effort": 3}, {"effort": -1}, {"quality": 11}, {"quality": 5, "bitrate": 6}):
        with pytest.raises(ValueError, match=r"effort|quality"):
            encode(sound(10), 24_000, model=MODELS[0], **wrong)
    path = tmp_path / "x.wav"
    soundfile.write(path, sound(100), 24_000)
    for words in ("--effort 3", "--quality 10.5", "--quality 5 --bitrate 6"):
        done = CliRunner().invoke(main, ["encode", str(path), *words.split()])
        assert done.exit_code == 2, done.output
    assert EncodeOptions().settings.effort == DEFAULT_EFFORT
