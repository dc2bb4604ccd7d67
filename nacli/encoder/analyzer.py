"""The analysis side of the encoder: samples of a stream to the features of its packets."""

from __future__ import annotations

import numpy as np

from nacli.audio import Resampler
from nacli.checkpoint import Model
from nacli.dsp import mid_side
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.high_band import RATE as HIGH_BAND_RATE
from nacli.dsp.high_band_analysis import HighBandAnalyzer, level_trajectories
from nacli.encoder.packet_analysis import PacketAnalysis
from nacli.encoder.pre_processing import PreProcess
from nacli.types import Floats, Integers, Pcm


class Analyzer:
    """Resamples, mixes to coded channels, and runs the Encoder network, with explicit state.

    Samples are pushed in blocks of any size and taken in whole frames, so the cutting of the input
    changes nothing. `take` may run in the prefetch thread: nothing is pushed meanwhile.
    """

    def __init__(
        self, model: Model, sample_rate: int, channels: int, stereo: bool, high_band: bool
    ) -> None:
        """`stereo` codes two channels as mid and side; `high_band` says whether the stream has a
        high band."""
        config = model.config
        self._hop, self._stereo = config.hop, stereo
        self._resampler = Resampler(sample_rate, config.sample_rate, channels)
        self._high_band: HighBandAnalyzer | None = None
        if high_band:
            resampler = Resampler(sample_rate, HIGH_BAND_RATE, channels)
            self._high_band = HighBandAnalyzer(resampler, channels, config.hop)
        self._pre_processing = PreProcess(channels, config.hop)
        self._networks, self._history = model.networks, model.networks.new_history()
        self._meter = BandEnergyMeter(channels, bark_spectra(config.hop, config.sample_rate))
        self._pending: Floats = np.zeros((0, channels), dtype=np.float32)
        self._frames_taken = 0

    def push(self, pcm: Pcm) -> None:
        """Add samples [T, C] at the original rate."""
        self._append(self._resampler.process(pcm))
        if self._high_band:
            self._high_band.push(mid_side.mix(pcm) if self._stereo else pcm)

    def flush(self) -> None:
        """Add the last samples, which the resamplers held back."""
        self._append(self._resampler.flush())
        if self._high_band:
            self._high_band.flush()

    def pad(self, frames: int) -> None:
        """Cut or fill the end of a stream of `frames` frames in all, so that it has its last hop
        and the hop whose frame completes it in the decoder."""
        missing = (frames - self._frames_taken) * self._hop
        self._pending = self._pending[:missing]
        self._pending = np.pad(self._pending, ((0, missing - len(self._pending)), (0, 0)))

    @property
    def pending_frames(self) -> int:
        """Whole frames whose samples have been pushed and not taken."""
        return len(self._pending) // self._hop

    @property
    def dc_offset(self) -> float:
        """The largest constant offset of a channel at the start; 0 until the first frames are
        taken."""
        return self._pre_processing.offset

    def ready(self, frames: int) -> bool:
        """Return whether these frames can be taken."""
        high_band_ready = self._high_band is None or self._high_band.ready(frames)
        return self.pending_frames >= frames and high_band_ready

    def take(self, frames: int) -> PacketAnalysis:
        """Return the features of the next frames, which must be ready."""
        block, self._pending = np.split(self._pending, [frames * self._hop])
        self._frames_taken += frames
        pcm, silent = self._pre_processing.process(block.T)
        latents, gains = self._networks.analyze(pcm, self._history)
        gains = np.where(silent, 0, gains).astype(np.int32)
        energies = self._meter.measure(pcm)
        return PacketAnalysis(latents, gains, energies, self._high_band_levels(energies))

    def _high_band_levels(self, energies: Floats) -> list[dict[int, Integers]]:
        """Return the levels of the high band of the next hops, whose bands below have these
        energies [C, F, BANDS]; an empty list where the stream has no high band."""
        if self._high_band is None:
            return []
        return list(map(level_trajectories, self._high_band.take(energies.shape[1]), energies))

    def _append(self, pcm: Pcm) -> None:
        mixed = mid_side.mix(pcm) if self._stereo else pcm
        self._pending = np.concatenate([self._pending, mixed])
