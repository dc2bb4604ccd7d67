"""Held-out clips of speech, decoded while a training runs: figures, and WAV files to listen to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from nacli.bench.metrics import SPEECH_RATE, brightness, si_sdr
from training.codec import Codec
from training.corpus.sampler import Source, validation_clips
from training.distill_mos import distill_mos, has_distill_mos
from training.stage_allocation import uniform_allocation

CLIPS, SECONDS = 12, 4.0
LISTEN = 2
"""Clips that are written as WAV."""
STAGES = (4, 8)
"""Stage counts of all frames, about 3 and 6 kbps."""


class Validation:
    """Clips from the held-out minutes of the corpus."""

    def __init__(self, sources: list[Source], clips: int = CLIPS) -> None:
        self.clips = validation_clips(sources, "speech", SECONDS, clips)

    @torch.no_grad()
    def measure(self, codec: Codec, folder: Path, step: int) -> dict[str, float]:
        """Return mean figures at 4 and 8 stages by name, and write clips to `folder`: DistillMOS
        (where its package is installed), SI-SDR in dB, and the brightness relative to the
        originals in dB."""
        folder.mkdir(exist_ok=True)
        device, rate = next(codec.parameters()).device, codec.config.sample_rate
        pcm, row = torch.from_numpy(self.clips).to(device), dict[str, float]()
        for stages in STAGES:
            decoded = codec(pcm, uniform_allocation(stages)).output.cpu().numpy()
            pairs = list(zip(self.clips, decoded, strict=True))
            figures = {
                "SI-SDR": [si_sdr(x, y) for x, y in pairs],
                "brightness": [brightness(x, y, rate) for x, y in pairs],
            }
            if has_distill_mos():
                low = [soxr.resample(y, rate, SPEECH_RATE) for y in decoded]
                figures["DistillMOS"] = distill_mos(low, str(device))
            row |= {f"{name} {stages}": _mean(values) for name, values in figures.items()}
            for index, (clip, sound) in enumerate(pairs[:LISTEN]):
                soundfile.write(folder / f"{index}-original.wav", clip, rate)
                name = f"{index}-{stages}-{step}.wav"
                soundfile.write(folder / name, np.clip(sound, -1, 1), rate)
        return row


def _mean(values: list[float]) -> float:
    return round(float(np.nanmean(values)), 3)
