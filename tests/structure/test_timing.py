"""The delays of `nacli/timing.py` are those that the filters really have.

That `first_packet` is early enough is also checked on whole files: a decode from there equals the
same samples of a whole decode in `tests/decoder/test_concealment.py` (fake model, any section) and
`tests/decoder/test_golden_files.py` (shipped model).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fake_model import CONFIG, make_model
from nacli.adaptive_filter import AdaptiveFilter
from nacli.config import ModelConfig
from nacli.decoder.network_decoder import NetworkDecoder
from nacli.decoder.post_processing import DecodedFrames, PostProcess
from nacli.decoder.synthesis import Synthesizer
from nacli.entropy import ChannelCodes
from nacli.envelope.correction_filter import CorrectionFilter
from nacli.envelope.corrections import CorrectionDecoder
from nacli.envelope.predictor import CorrectionPredictor
from nacli.timing import (
    ADAPTIVE_FILTER_DELAY,
    CORRECTION_FILTER_CONTEXT,
    CORRECTION_FILTER_DELAY,
    DC_BLOCKER_SAMPLES,
    OVERLAP,
    POST_PROCESSING_DELAY,
    completed_samples,
    corrections_delay,
    decoder_delay,
    first_packet,
    frame_count,
)
from nacli.types import Floats

HOP, RATE, HOPS, MARKED = CONFIG.hop, CONFIG.sample_rate, 30, 12
Filter = Callable[[Floats], Floats]


def correction_filter() -> Filter:
    corrections = np.full((1, HOPS, 26), 0.1, np.float32)  # so that nothing is passed through
    return lambda pcm: CorrectionFilter(1, HOP, RATE).process(pcm, corrections)


def adaptive_filter() -> Filter:
    features = np.zeros((1, HOPS, CONFIG.width), np.float32)
    counts = np.zeros((1, HOPS), np.int32)
    return lambda pcm: AdaptiveFilter(None, 1, HOP).process(pcm, features, counts)


def post_processing() -> Filter:
    corrections = CorrectionDecoder(CONFIG, None, CorrectionPredictor.none(), 1)
    post, sounding = PostProcess(CONFIG, None, corrections, 1), np.full((1, HOPS), 60, np.int32)
    frames = DecodedFrames.silence(CONFIG, 1, HOPS)._replace(gains=sounding)
    return lambda pcm: post.process(frames._replace(pcm=pcm))


@pytest.mark.parametrize(
    ("make", "delay"),
    [
        (correction_filter, CORRECTION_FILTER_DELAY),
        (adaptive_filter, ADAPTIVE_FILTER_DELAY),
        (post_processing, POST_PROCESSING_DELAY),
    ],
)
def test_an_impulse_is_delayed_by_the_stated_number_of_hops(
    make: Callable[[], Filter], delay: int
) -> None:
    pcm = np.zeros((1, HOPS * HOP), np.float32)
    position = MARKED * HOP + 100
    pcm[0, position] = 0.5
    output = make()(pcm)
    assert output.shape == pcm.shape
    assert np.abs(output[0]).argmax() - position == delay * HOP


def test_a_decoder_outputs_each_hop_after_the_stated_delay() -> None:
    """One frame alone is loud: its hop is output with a frame that is `decoder_delay` later."""
    network = NetworkDecoder(make_model(), 1)
    synthesizer = Synthesizer(make_model(), 1, first_hop=0, high_band=False)
    gains = np.full(HOPS, 1, np.int32)
    gains[MARKED] = 70
    codes = np.zeros((HOPS, CONFIG.stages), np.int32)
    corrections = (np.zeros((HOPS, 2), np.int32), np.zeros(HOPS, np.int32))
    coded = ChannelCodes(gains, codes, np.full(HOPS, CONFIG.stages, np.int32), *corrections)
    synthesizer.start([coded])
    blocks = map(synthesizer.process, network.decode_codes([coded]))
    pcm = np.concatenate([sound.pcm for sound in blocks])[:, 0]
    energies = np.square(pcm.reshape(-1, HOP)).sum(1)
    own_hop = MARKED - OVERLAP
    assert energies.argmax() == own_hop + decoder_delay(CONFIG)


@pytest.mark.parametrize("lookahead", [0, 2, 8])
def test_the_delays_of_a_decoder_are_the_sum_of_its_steps(lookahead: int) -> None:
    config = replace(CONFIG, lookahead=lookahead)
    filters = CORRECTION_FILTER_DELAY + ADAPTIVE_FILTER_DELAY
    assert filters == POST_PROCESSING_DELAY
    assert decoder_delay(config) == OVERLAP + lookahead + filters
    assert corrections_delay(config) == lookahead


def test_the_frames_of_a_recording_complete_all_of_its_samples() -> None:
    for rate in (8_000, 24_000, 44_100):
        for samples in (1, 2, 319, 320, 321, rate, 10 * rate + 7):
            frames = frame_count(samples, rate, CONFIG.hop)
            assert completed_samples(frames, rate, CONFIG) >= samples
            assert completed_samples(frames - 1, rate, CONFIG) < samples
    assert frame_count(0, RATE, CONFIG.hop) == completed_samples(0, RATE, CONFIG) == 0


@pytest.mark.parametrize("config", [CONFIG, ModelConfig()], ids=["fake", "default"])
@pytest.mark.parametrize("frames_per_packet", [1, 10, 150])
def test_decoding_starts_before_the_first_frame_that_the_hop_needs(
    config: ModelConfig, frames_per_packet: int
) -> None:
    """All that the hop needs comes after the start: the hops of the filters and of the DC blocker
    before it, and the context of the Decoder before these. It starts at most a packet earlier."""
    assert config.decoder_context is not None
    for context in (0, 30):
        for hop in (0, 1, 77, 1000):
            start = first_packet(hop, frames_per_packet, config, context) * frames_per_packet
            first = hop - context - CORRECTION_FILTER_CONTEXT + OVERLAP + config.lookahead
            first -= -(-DC_BLOCKER_SAMPLES // config.hop) + config.decoder_context
            assert max(0, first) - frames_per_packet < start <= max(0, first)
    recurrent = replace(config, recurrent_layers=1)
    assert first_packet(1000, frames_per_packet, recurrent, 0) == 0
