"""Held-out clips that a training writes for listening."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from nacli.bench import metrics
from training.codec import Codec
from training.corpus.sampler import Source, validation_clips
from training.stage_allocation import uniform_allocation


def listening_clips(sources: list[Source]) -> np.ndarray:
    """Return two held-out clips of speech and two of music, 4 s each [4, samples]."""
    return np.concatenate([validation_clips(sources, kind, 4.0, 2) for kind in ("speech", "music")])


@torch.no_grad()
def write_clips(codec: Codec, clips: np.ndarray, folder: Path, step: int) -> None:
    """Write clips [N, T] decoded at three rates as WAV beside the originals.

    A line of `brightness.jsonl` gets the mean brightness of each rate, relative to the originals,
    in dB.
    """
    folder.mkdir(exist_ok=True)
    device, rate = next(codec.parameters()).device, codec.config.sample_rate
    row: dict[str, Any] = {"step": step}
    codec.eval()
    for stages in (2, 4, 8):
        pcm = torch.from_numpy(clips).to(device)
        output = codec(pcm, uniform_allocation(stages)).output.cpu().numpy()
        for index, (clip, decoded) in enumerate(zip(clips, output, strict=True)):
            soundfile.write(folder / f"{index}-original.wav", clip, rate)
            soundfile.write(folder / f"{index}-{stages}-{step}.wav", np.clip(decoded, -1, 1), rate)
        pairs = zip(clips, output, strict=True)
        brightness = [metrics.brightness(clip, decoded, rate) for clip, decoded in pairs]
        row[f"{stages} stages"] = round(float(np.nanmean(brightness)), 2)
    with (folder / "brightness.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
