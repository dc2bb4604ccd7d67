"""What the adaptive filter gets in the decoder of a checkpoint."""

from __future__ import annotations

from itertools import chain

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
from nacli.timing import ADAPTIVE_FILTER_DELAY, decoder_delay
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


def filter_inputs(model: Model, data: bytes) -> tuple[Floats, Floats, Integers]:
    """Return samples [F * HOP], features [F, width] and stage counts [F] that the filter gets when
    a mono .nac file at the coded rate is decoded, from the recording's first hop on. F is a few
    hops more than the recording has."""
    reader, recorder = Depacketizer(model, conceal=False), FilterRecorder()
    network, synthesizer = NetworkDecoder(model, 1), Synthesizer(model, 1, 0, high_band=False)
    synthesizer.post_processing.adaptive_filter = recorder
    with one_thread():
        for part in chain(reader.feed(data), reader.finish()):
            assert isinstance(part, Coded), "damage raises"
            synthesizer.start(part.codes.channels)
            for frames in network.decode(part):
                synthesizer.process(frames)
        for frames in network.finish():
            synthesizer.process(frames)
        synthesizer.finish()
    late = decoder_delay(model.config) - ADAPTIVE_FILTER_DELAY
    pcm, features, counts = recorder.inputs()
    return pcm[late * HOP :], features[late:], counts[late:]


def decode_clip(model: Model, pcm: Floats, kbps: float) -> tuple[Decoded, float]:
    """Code samples [F * HOP] at the coded rate at a bitrate, and decode them up to the filter; also
    return the bitrate of the file in kbps."""
    data, hops = encode(pcm, CODED_RATE, bitrate=kbps, model=model), len(pcm) // HOP
    decoded, features, counts = filter_inputs(model, data)
    decoded = decoded[: len(pcm)]
    lags, strengths = measure_periods(decoded)
    clip = Decoded(
        np.rint(pcm * 32767).astype(np.int16),
        decoded.astype(np.float16),
        features[:hops].astype(np.float16),
        counts[:hops].astype(np.uint8),
        lags.astype(np.int16),
        strengths.astype(np.float16),
    )
    return clip, len(data) * 8 / 1000 / (len(pcm) / CODED_RATE)
