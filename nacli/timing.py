"""Frames, hops and delays: which samples of the recording a frame completes.

Frame f covers hops f - 1 and f of the coded signal, so it completes hop f - 1. Every step after the
network that waits for later samples delays its output by whole hops. All delays are defined and
added up here and nowhere else.
"""

from __future__ import annotations

from nacli.config import CODED_RATE, ModelConfig

OVERLAP = 1
"""Hops between the number of a frame and the number of the hop that it completes."""
CORRECTION_FILTER_DELAY, CORRECTION_FILTER_CONTEXT = 1, 1
"""Hops after a hop, and before it, that the correction filter needs to filter it."""
ADAPTIVE_FILTER_DELAY = 3
"""Hops after a hop that the adaptive filter needs to filter it. Those before it follow from the
sizes of its network, see `nacli.adaptive_filter.context`."""
DC_BLOCKER_SAMPLES = 4800
"""Length of the moving average of the DC blocker, 0.2 s: low notes pass."""
POST_PROCESSING_DELAY = CORRECTION_FILTER_DELAY + ADAPTIVE_FILTER_DELAY
"""Hops by which the output of the whole post-processing follows its input."""


def frame_count(samples: int, sample_rate: int, hop: int) -> int:
    """Return the frames of a recording of `samples` at its own rate: one for each hop of the coded
    signal, and one that completes the last hop; none if the recording is empty."""
    hops = -(-samples * CODED_RATE // (sample_rate * hop))
    return hops + OVERLAP if samples else 0


def completed_samples(frames: int, sample_rate: int, config: ModelConfig) -> int:
    """Return the samples of a recording, at its own rate, that its first `frames` frames
    complete."""
    return max(0, frames - OVERLAP) * config.hop * sample_rate // config.sample_rate


def corrections_delay(config: ModelConfig) -> int:
    """Return the frames from the frame whose samples an envelope correction changes to the frame
    that carries the correction."""
    return config.lookahead


def decoder_delay(config: ModelConfig) -> int:
    """Return the delay of a decoder in hops: after frame f it outputs the finished samples of hop
    f - delay."""
    return OVERLAP + config.lookahead + POST_PROCESSING_DELAY


def first_packet(hop: int, frames_per_packet: int, config: ModelConfig, filter_context: int) -> int:
    """Return the packet at which a decoder must start so that every sample from `hop` on equals
    that of a whole decode.

    `filter_context` is that of the adaptive filter, see `nacli.adaptive_filter.context`. A finished
    hop depends on as many corrected hops before it; each of these depends on the samples before it
    that the DC blocker averages, and each sample on the context of the Decoder. Its correction is
    decoded with the packet that carries it.
    """
    if config.decoder_context is None:
        return 0
    delay = OVERLAP + corrections_delay(config)
    frame = hop - filter_context - CORRECTION_FILTER_CONTEXT + delay
    dc_blocker = -(-DC_BLOCKER_SAMPLES // config.hop)
    return max(0, frame - dc_blocker - config.decoder_context) // frames_per_packet
