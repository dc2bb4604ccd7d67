"""What the adaptive filter gets in the decoder of a checkpoint, and what that is made of."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

import numpy as np

from nacli.adaptive_filter import AdaptiveFilter
from nacli.adaptive_filter.sizes import HOP
from nacli.api import encode
from nacli.blas import one_thread
from nacli.checkpoint import Model
from nacli.config import CODED_RATE
from nacli.decoder.depacketizer import Depacketizer
from nacli.decoder.network_decoder import NetworkDecoder
from nacli.decoder.parts import Coded
from nacli.decoder.synthesis import Synthesizer
from nacli.envelope.correction_filter import CorrectionFilter
from nacli.quantizer.rvq import dequantize
from nacli.timing import ADAPTIVE_FILTER_DELAY, CORRECTION_FILTER_DELAY, OVERLAP, decoder_delay
from nacli.types import Floats, Integers
from training.adaptive_filter.decoded import Decoded
from training.adaptive_filter.periods import measure_periods


class FilterRecorder(AdaptiveFilter):
    """A stage in the place of the adaptive filter that keeps its inputs, and only delays sound."""

    def __init__(self) -> None:
        super().__init__(None, 1, HOP)
        self._calls: list[tuple[Floats, Floats, Integers]] = []

    def process(self, pcm: Floats, features: Floats, counts: Integers) -> Floats:
        """Keep the inputs, as `AdaptiveFilter.process` takes them."""
        self._calls.append((pcm[0], features[0], counts[0]))
        return super().process(pcm, features, counts)

    def inputs(self) -> tuple[Floats, Floats, Integers]:
        """Return all samples [F * HOP], features [F, width] and stage counts [F] so far."""
        columns = zip(*self._calls, strict=True)
        pcm, features, counts = (np.concatenate(column) for column in columns)
        return pcm, features, counts


class CorrectionRecorder(CorrectionFilter):
    """A correction filter that keeps its corrections."""

    def __init__(self) -> None:
        super().__init__(1, HOP, CODED_RATE)
        self.corrections: list[Floats] = []
        """Corrections [F, BANDS] of all calls."""

    def process(self, pcm: Floats, corrections: Floats) -> Floats:
        self.corrections.append(corrections[0])
        return super().process(pcm, corrections)


class Recorded(NamedTuple):
    """What the decoder of a mono file does to F hops, the recording's and a few more: what the
    adaptive filter gets, by the names of `Decoded`, and the corrections."""

    pcm: Floats
    features: Floats
    counts: Integers
    corrections: Floats


def record_decoder(model: Model, data: bytes) -> tuple[Recorded, Floats, Integers]:
    """Decode a mono .nac file at the coded rate up to the adaptive filter.

    Returns:
        What the decoder does to hops, from the recording's first hop on; latents [F, D] and gain
        indices [F] of all frames. Frame f completes hop f - OVERLAP.
    """
    reader, recorder = Depacketizer(model, conceal=False), FilterRecorder()
    network, synthesizer = NetworkDecoder(model, 1), Synthesizer(model, 1, 0, high_band=False)
    corrector = CorrectionRecorder()
    synthesizer.post_processing.adaptive_filter = recorder
    synthesizer.post_processing.correction_filter = corrector
    latents, gains = [], []
    with one_thread():
        for part in chain(reader.feed(data), reader.finish()):
            assert isinstance(part, Coded), "damage raises"
            [channel] = part.codes.channels
            latents.append(dequantize(channel.codes, channel.counts, model.codebooks))
            gains.append(channel.gains)
            synthesizer.start([channel])
            for frames in network.decode(part):
                synthesizer.process(frames)
        for frames in network.finish():
            synthesizer.process(frames)
        synthesizer.finish()
    late = decoder_delay(model.config) - ADAPTIVE_FILTER_DELAY
    pcm, features, counts = recorder.inputs()
    corrections = np.concatenate(corrector.corrections)[late - CORRECTION_FILTER_DELAY :]
    recorded = Recorded(pcm[late * HOP :], features[late:], counts[late:], corrections)
    return recorded, np.concatenate(latents), np.concatenate(gains)


def decode_clip(model: Model, pcm: Floats, kbps: float) -> tuple[Decoded, float]:
    """Code samples [F * HOP] at the coded rate at a bitrate, and decode them up to the filter; also
    return the bitrate of the file in kbps."""
    data, hops = encode(pcm, CODED_RATE, bitrate=kbps, model=model), len(pcm) // HOP
    recorded, latents, gains = record_decoder(model, data)
    decoded = recorded.pcm[: len(pcm)]
    lags, strengths = measure_periods(decoded)
    clip = Decoded(
        np.rint(pcm * 32767).astype(np.int16),
        decoded.astype(np.float16),
        recorded.features[:hops].astype(np.float16),
        recorded.counts[:hops].astype(np.uint8),
        lags.astype(np.int16),
        strengths.astype(np.float16),
        latents[OVERLAP:].astype(np.float16),
        gains[OVERLAP:].astype(np.uint8),
        recorded.corrections[:hops].astype(np.float16),
    )
    return clip, len(data) * 8 / 1000 / (len(pcm) / CODED_RATE)
