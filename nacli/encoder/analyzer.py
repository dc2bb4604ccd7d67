"""The analysis side of the encoder: samples of a stream to the features of its packets."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from nacli.audio import Resampler
from nacli.checkpoint import Model
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.high_band import RATE as HIGH_BAND_RATE
from nacli.dsp.high_band_analysis import HighBandAnalyzer, level_trajectories
from nacli.encoder.packet_analysis import PacketAnalysis
from nacli.encoder.pre_processing import PreProcess
from nacli.encoder.stereo import StereoAnalyzer
from nacli.quantizer.allocation import Allocation
from nacli.types import Floats, Pcm


class Analyzer:
    """Resamples, rotates stereo, and runs the Encoder network, with explicit state.

    Samples are pushed in blocks of any size and taken in whole frames, so the cutting of the input
    changes nothing.
    """

    def __init__(
        self, model: Model, sample_rate: int, channels: int, stereo: bool, high_band: bool
    ) -> None:
        """`stereo` codes two channels as principal and residual; `high_band` says whether the
        stream has a high band."""
        config = model.config
        self._hop, self._stages = config.hop, model.codebooks.stages
        self._stereo = StereoAnalyzer(config.hop) if stereo else None
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
            self._high_band.push(pcm)

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
        angles: tuple[int, ...] = ()
        if self._stereo:
            block, angles = self._stereo.rotate(block)
        pcm, silent = self._pre_processing.process(block.T)
        latents, gains = self._networks.analyze(pcm, self._history)
        gains = np.where(silent, 0, gains).astype(np.int32)
        energies = self._meter.measure(pcm)
        counts = cache(Allocation(gains, self._stages).at_level)
        if self._high_band is None:
            return PacketAnalysis(latents, gains, energies, counts, angles=angles)
        if self._stereo:
            high, turned = self._stereo.high_band_energies(self._high_band, frames)
            angles += turned
        else:
            high = self._high_band.take(frames)
        rows = zip(high, energies, strict=True)
        levels = [cache(partial(level_trajectories, *row)) for row in rows]
        return PacketAnalysis(latents, gains, energies, counts, levels, angles)

    def _append(self, pcm: Pcm) -> None:
        self._pending = np.concatenate([self._pending, pcm])
