"""More effort: codes weighed against their bits; the promises hold at every effort and quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from nacli.encoder.rate_distortion import refine

from fake_model import CONFIG, make_model
from learned_model import make_channel, make_entries, make_learned
from nacli.api import decode, encode
from nacli.cli import main
from nacli.dsp.filterbank import BANDS
from nacli.encoder.code_search import search, select
from nacli.encoder.settings import DEFAULT_EFFORT, EFFORTS, Analysis, PacketEncoder
from nacli.encoder.stream import Encoder
from nacli.entropy import ChannelCodes, Forecast
from nacli.format import Packet, Parser, fixed_bytes
from nacli.jobs.task import EncodeOptions
from nacli.quantizer.rvq import Codebooks, dequantize
from recordings import header_of, pieces, sound

MODELS = [make_model(), make_model(learned=True)]
every_model = pytest.mark.parametrize("model", MODELS, ids=["tables", "learned"])
every_effort = pytest.mark.parametrize("effort", range(len(EFFORTS)))


def forecast_bits(forecast: Forecast, channel: ChannelCodes) -> np.ndarray:
    """Bits [F, N] that a forecast gives for codes that are what they are."""
    found = np.zeros(channel.codes.shape)
    for frames in filter(len, forecast.groups()):
        state = forecast.begin(frames)
        for stage in range(channel.codes.shape[1]):
            codes, on = channel.codes[frames, stage], channel.counts[frames] > stage
            rows = np.flatnonzero(on)
            bits = forecast.bits(rows, stage, state[rows])
            found[frames[rows], stage] = bits[np.arange(len(rows)), 0, codes[rows]]
            state = forecast.extend(state, stage, codes[:, None])
        forecast.settle(channel.codes[frames])
    return found


@pytest.mark.parametrize("frames", [1, 7, 40])
def test_a_forecast_tells_what_coding_takes(frames: int) -> None:
    model, channel = make_learned(), make_channel(frames, frames)
    found = forecast_bits(model.forecast(channel.gains, channel.counts), channel)
    np.testing.assert_allclose(found, np.minimum(model.code_bits(channel), 20), atol=0.05)
    tables, small = MODELS[0].tables, make_channel(frames, frames, size=CONFIG.codebook_size)
    found = forecast_bits(tables.forecast(small.gains, small.counts), small)
    np.testing.assert_allclose(found, tables.code_bits(small), atol=1e-4)


def test_a_higher_price_takes_fewer_bits_and_errs_more() -> None:
    random, entropy, channel = np.random.default_rng(0), make_learned(), make_channel(0, 60)
    codebooks = Codebooks(make_entries(), np.float32(0.01) * np.ones(4, np.float32))
    latents = random.normal(size=(60, 8)).astype(np.float32)

    def measure(price: float) -> tuple[float, float]:
        codes = refine(
            latents,
            channel.counts,
            np.full(60, price, np.float32),
            entropy.forecast(channel.gains, channel.counts),
            codebooks,
            8,
        )
        assert not codes[np.arange(codes.shape[1]) >= channel.counts[:, None]].any()
        error = np.square(latents - dequantize(codes, channel.counts, codebooks)).sum()
        bits = entropy.code_bits(ChannelCodes(channel.gains, codes, channel.counts)).sum()
        return float(bits), float(error)

    measured = [measure(price) for price in (0.0, 0.1, 1.0)]
    assert measured[0][0] > measured[1][0] > measured[2][0]
    assert measured[0][1] < measured[1][1] < measured[2][1]
    # for nothing, it is the plain search
    plain = select(search(latents, codebooks, 4, 8).paths, channel.counts)
    error = np.square(latents - dequantize(plain, channel.counts, codebooks)).sum()
    assert measured[0][1] == pytest.approx(float(error), rel=1e-4)


@every_model
@every_effort
@pytest.mark.parametrize(("channels", "bitrate"), [(1, 1.5), (1, 2.5), (2, 4)])
def test_the_bitrate_is_a_promise_at_every_effort(
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
    encoder = Encoder(model, 24_000, 2, effort=effort, samples=len(pcm), **how)
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


def test_a_quality_spends_little_on_silence_and_on_what_is_quiet() -> None:
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


def test_what_is_close_enough_gets_no_more_stages() -> None:
    model, random = MODELS[0], np.random.default_rng(0)
    codes = random.integers(0, CONFIG.codebook_size, (75, 4)).astype(np.int32)
    latents = dequantize(codes, np.full(75, 2, np.int32), model.codebooks)[None]
    gains = np.full((1, 75), 50, dtype=np.int32)
    packet = Analysis(latents, gains, np.zeros((1, 75, BANDS), np.float32))
    chooser = PacketEncoder(model, 1, 75, DEFAULT_EFFORT)
    draft = chooser.draft(packet, 12)
    (stopped,) = chooser.fit(draft, 10_000, 15.0).channels
    (whole,) = chooser.fit(draft, 10_000, 1000.0).channels  # deeper than the draft
    assert whole.counts.min() == 4
    assert stopped.counts.max() == 2
    assert chooser.at_level(chooser.draft(packet, 32), 15.0).levels == (16,)
    assert chooser.at_level(chooser.draft(packet, 12), 15.0).levels == (12,)


def test_options_out_of_range_are_refused(tmp_path: Path) -> None:
    for wrong in ({"effort": 4}, {"effort": -1}, {"quality": 11}, {"quality": 5, "bitrate": 6}):
        with pytest.raises(ValueError, match=r"effort|quality"):
            encode(sound(10), 24_000, model=MODELS[0], **wrong)  # type: ignore[arg-type]
    path = tmp_path / "x.wav"
    soundfile.write(path, sound(100), 24_000)
    for words in ("--effort 4", "--quality 10.5", "--quality 5 --bitrate 6"):
        done = CliRunner().invoke(main, ["encode", str(path), *words.split()])
        assert done.exit_code == 2, done.output
    assert EncodeOptions().effort == DEFAULT_EFFORT
