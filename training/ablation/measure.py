"""Quality and speed of a codec with a fixed number of stages for every frame."""

from __future__ import annotations

import time

import numpy as np
import torch

from nacli.bench import metrics
from nacli.bench.clips import Clip, resample
from nacli.networks.torch_engine import History
from training.codec import Codec
from training.quantizer.residual import code_entropies
from training.stage_allocation import uniform_allocation

STAGES = (2, 4, 8)
"""Stage counts to measure at."""
BITS_STAGES = 4
"""Number of first stages over which the bits per code are averaged."""


def measure(codec: Codec, clips: list[Clip]) -> dict[str, float]:
    """Return means over clips as `<group> <figure> <stages>`, the bits per code, and the speed."""
    rows: dict[str, list[float]] = {}
    for stages in STAGES:
        codes = []
        for clip in clips:
            decoded, clip_codes = round_trip(codec, clip, stages)
            codes.append(clip_codes)
            for name, value in score(clip, decoded).items():
                rows.setdefault(f"{clip.group} {name} {stages}", []).append(value)
    figures = {name: float(np.nanmean(values)) for name, values in rows.items()}
    size = codec.config.codebook_size
    counts = [torch.bincount(row, minlength=size) for row in torch.cat(codes, 1)[:BITS_STAGES]]
    bits = code_entropies(torch.stack(counts))
    return {**figures, "bits": float(np.mean(bits)), "speed": speed(codec, clips)}


@torch.no_grad()
def round_trip(codec: Codec, clip: Clip, stages: int) -> tuple[np.ndarray, torch.Tensor]:
    """Return a decoded clip [T] at its own rate, and its codes [K, F]."""
    rate, hop = codec.config.sample_rate, codec.config.hop
    pcm = resample(clip.pcm, clip.rate, rate)[:, 0]
    padded = np.pad(pcm, (0, -len(pcm) % hop))
    coded = codec(torch.from_numpy(padded)[None], uniform_allocation(stages))
    decoded = resample(coded.output[0, : len(pcm), None].numpy(), rate, clip.rate)
    return decoded[: len(clip.pcm), 0], coded.codes


def score(clip: Clip, decoded: np.ndarray) -> dict[str, float]:
    """Return the figures of a decoded clip [T]; those of speech need a clip of speech."""
    original = clip.pcm[:, 0]
    row = {"mel": metrics.log_mel_distance(original, decoded, clip.rate)}
    if clip.group == "speech":
        speech_rate = metrics.SPEECH_RATE
        pair = [resample(x[:, None], clip.rate, speech_rate)[:, 0] for x in (original, decoded)]
        row |= {"pesq": metrics.pesq_wb(*pair), "estoi": metrics.estoi(*pair)}
    return row


@torch.no_grad()
def speed(codec: Codec, clips: list[Clip]) -> float:
    """Return the seconds of audio that Encoder and Decoder process in a second of CPU time."""
    audio = seconds = 0.0
    for clip in clips:
        pcm = torch.from_numpy(resample(clip.pcm, clip.rate, codec.config.sample_rate)[:, 0])
        pcm = pcm[None, : len(pcm) // codec.config.hop * codec.config.hop]
        began = time.process_time()
        latents, gains = codec.encoder(pcm, History())
        codec.decoder(latents, gains, torch.full_like(gains, STAGES[-1]), History())
        seconds += time.process_time() - began
        audio += pcm.shape[1] / codec.config.sample_rate
    return audio / seconds
