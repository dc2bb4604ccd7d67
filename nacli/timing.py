"""Frames, hops and delays: where the samples that a frame completes lie in the recording.

Frame f covers hops f - 1 and f of the coded signal, so it completes hop f - 1. Every step behind
the network that looks ahead delays its output by whole hops; the delays are added up here and
nowhere else.
"""

from __future__ import annotations

from nacli.config import ModelConfig

OVERLAP = 1
"""Hops by which a frame is ahead of the hop that it completes."""
PITCH_FILTER_DELAY, PITCH_FILTER_CONTEXT = 2, 2
"""Hops that the pitch filter needs after a hop, and before it."""
POST_FILTER_DELAY, POST_FILTER_CONTEXT = 2, 5
"""Hops that the post-filter needs after a hop, and before it."""
PREDICTOR_CONTEXT = 5
"""Hops whose levels predict an envelope correction: its own last hop and those before it."""
DC_BLOCKER_SAMPLES = 4800
"""Samples of the moving mean of the DC blocker: 0.2 s, so that low notes stay."""
POST_PROCESSING_DELAY = PITCH_FILTER_DELAY + POST_FILTER_DELAY


def frame_count(samples: int, sample_rate: int, config: ModelConfig) -> int:
    """Frames of a recording of `samples` at its own rate: one per hop, and one that completes the
    last hop; none if the recording is empty."""
    hops = -(-samples * config.sample_rate // (sample_rate * config.hop))
    return hops + OVERLAP if samples else 0


def corrections_delay(config: ModelConfig) -> int:
    """Frames from the samples that envelope corrections belong to until the frame that carries
    them."""
    return config.lookahead + PITCH_FILTER_DELAY


def decoder_delay(config: ModelConfig) -> int:
    """Hops from the number of a frame back to the hop of finished samples that comes with it."""
    return OVERLAP + config.lookahead + POST_PROCESSING_DELAY


def first_packet(hop: int, frames_per_packet: int, config: ModelConfig) -> int:
    """The packet from which a decoder must start so that every sample from `hop` on is exact.

    A finished hop depends on the corrections of some hops before it, each of these on the decoded
    levels before it in its packet, and every decoded sample on the context of the networks.
    """
    if config.decoder_context is None:
        return 0
    ahead = OVERLAP + corrections_delay(config)
    frame = max(0, hop - POST_FILTER_CONTEXT + ahead)
    start = frame // frames_per_packet * frames_per_packet
    dc_blocker = -(-DC_BLOCKER_SAMPLES // config.hop)
    context = PITCH_FILTER_CONTEXT + PREDICTOR_CONTEXT + dc_blocker
    return max(0, start - ahead - context + 1 - config.decoder_context) // frames_per_packet
