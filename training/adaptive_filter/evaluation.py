"""Quality of filtered clips: of held-out ends of the corpus, coded at two bitrates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
import torch.nn.functional as F

from nacli.adaptive_filter.sizes import DELAY, HOP
from nacli.bench.metrics import (
    SPEECH_RATE,
    brightness,
    estoi,
    log_mel_distance,
    pesq_wb,
    si_sdr,
)
from nacli.checkpoint import Model
from nacli.config import CODED_RATE
from nacli.networks.torch_engine import Decoder, History
from nacli.types import Floats
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterInputs
from training.adaptive_filter.chain import decode_clip
from training.adaptive_filter.decoded import Decoded, save_arrays, stored_clip
from training.adaptive_filter.decoder_chain import decode_again, load_decoder
from training.adaptive_filter.periods import delay_periods
from training.adaptive_filter.states import load_decoder_weights, load_filter
from training.corpus.sampler import Source, validation_clips
from training.distill_mos import distill_mos

BITRATES, SECONDS = (3.15, 5.94), 6
"""Bitrates in kbps, and seconds of a clip."""
NAMES = ("DistillMOS", "PESQ", "ESTOI", "log-mel", "SI-SDR", "treble dB")
Rows = list[list[Decoded]]
"""All clips for each bitrate."""


def print_table(model: Model, store: Path, runs: list[Path], baseline: bool) -> None:
    """Print a table row for the filter of every run, behind its own Decoder where it has one, else
    behind that of `model`; with `baseline`, one for the sound before the filter first."""
    rows = read_clips(store)
    print(f"| {store.stem}, {len(rows[0])} clips | " + " | ".join(NAMES) + " |", flush=True)
    if baseline:
        _print_row("none", compare(rows, lambda clip: clip.decoded.astype(np.float32)))
    for path in runs:
        weights = load_decoder_weights(path)
        networks = load_filter(path), load_decoder(model, weights) if weights else None
        _print_row(path.stem, compare(rows, partial(enhance, *networks)))


def _print_row(name: str, figures: list[list[float]]) -> None:
    cells = (" / ".join(f"{x:.3f}" for x in pair) for pair in zip(*figures, strict=True))
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def write_clips(model: Model, sources: list[Source], kind: str, count: int, store: Path) -> None:
    """Code and decode held-out clips of one kind at each bitrate, write them to `store`, and print
    the mean bitrates of their files."""
    arrays: dict[str, Any] = {}
    for rate in BITRATES:
        held_out = validation_clips(sources, kind, SECONDS, count)
        decoded = [decode_clip(model, pcm, rate) for pcm in held_out]
        clips, kbps = zip(*decoded, strict=True)
        for index, clip in enumerate(clips):
            named = clip._asdict().items()
            arrays |= {f"{1000 * rate:.0f}.{index}.{field}": values for field, values in named}
        print(f"{rate} kbps: {np.mean(kbps):.3f}", flush=True)
    save_arrays(store, arrays)


def read_clips(store: Path) -> Rows:
    """Return the clips that `write_clips` wrote."""
    with np.load(store) as stored:
        rates, indices = (dict.fromkeys(name.split(".")[n] for name in stored) for n in (0, 1))
        return [[stored_clip(stored, f"{rate}.{index}.") for index in indices] for rate in rates]


@torch.no_grad()
def enhance(
    network: AdaptiveFilter, decoder: Decoder | None, clip: Decoded, contrast: bool = True
) -> Floats:
    """Return the filtered samples [T] of a clip, aligned with the original. `decoder` decodes it
    again before; None takes the sound that it has. `contrast` is that of `AdaptiveFilter`."""
    clip = decode_again(decoder, clip) if decoder else clip
    pcm = torch.from_numpy(clip.decoded.astype(np.float32))
    features = torch.from_numpy(clip.features.astype(np.float32))
    counts = torch.from_numpy(clip.counts.astype(np.int64))
    lags = torch.from_numpy(clip.lags.astype(np.int64))
    strengths = torch.from_numpy(clip.likeness.astype(np.float32))
    padded = (F.pad(x, (0, 0, 0, 2 * DELAY))[None] for x in (lags, strengths))
    inputs = FilterInputs(
        F.pad(pcm, (0, DELAY * HOP))[None],
        F.pad(features, (0, 0, 0, DELAY))[None],
        F.pad(counts, (0, DELAY))[None],
        *delay_periods(*padded),
    )
    output: Floats = network(inputs, History(), contrast)[0, DELAY * HOP :].numpy()
    return output


def compare(
    rows: Rows, process: Callable[[Decoded], Floats], quick: bool = False
) -> list[list[float]]:
    """Return the mean figures of processed clips at each rate, in the order of NAMES; `quick`
    keeps DistillMOS and PESQ alone."""
    return [_figures([c.original for c in row], [process(c) for c in row], quick) for row in rows]


def _figures(originals: list[Floats], decoded: list[Floats], quick: bool) -> list[float]:
    low = [
        [soxr.resample(x, CODED_RATE, SPEECH_RATE) for x in side] for side in (originals, decoded)
    ]
    rows = [distill_mos(low[1]), [pesq_wb(x, y) for x, y in zip(*low, strict=True)]]
    if not quick:
        pairs = list(zip(originals, decoded, strict=True))
        rows.append([estoi(x, y) for x, y in zip(*low, strict=True)])
        rows.append([log_mel_distance(x, y, CODED_RATE) for x, y in pairs])
        rows.append([si_sdr(x, y) for x, y in pairs])
        rows.append([brightness(x, y, CODED_RATE) for x, y in pairs])
    return [float(np.nanmean(row)) for row in rows]
