"""Quality of filtered clips: of validation clips while training, or of evaluation clips.

Clips are decoded with fixed stage counts, or with those that packets of 3.2 and 6 kbps give by the
gains. The latter is an estimate of whole files: no file is written, and no entropy model runs.
"""

from __future__ import annotations

from collections.abc import Callable
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
from nacli.config import CODED_RATE
from nacli.networks.torch_engine import History
from nacli.types import Floats, Integers
from training.distill_mos import distill_mos
from training.enhancer.adaptive_filter import AdaptiveFilter, FilterInputs
from training.enhancer.cache import allocated_counts
from training.enhancer.decoded import Decoded, FrozenCodec, read_mono
from training.enhancer.periods import delay_periods
from training.enhancer.states import load_filter

FIXED, FIXED_SECONDS = (4.0, 8.0), 4
"""Stage counts, and seconds of a clip."""
ALLOCATED, ALLOCATED_SECONDS = (4.5, 8.7), 6
"""Mean stage counts at 3.2 and 6 kbps, with 8.9 bits a code, 44 bits a second of framing and 130 of
gains."""
DEPTH = 16
NAMES = ("DistillMOS", "PESQ", "ESTOI", "log-mel", "SI-SDR", "treble dB")
Rows = list[list[Decoded]]
"""All clips for each of two rates."""


def print_table(store: Path, runs: list[Path], baseline: bool) -> None:
    """Print a table row for the filter of every run; with `baseline`, one for the Decoder alone
    before."""
    rows = read_clips(store)
    print(f"| {store.stem}, {len(rows[0])} clips | " + " | ".join(NAMES) + " |", flush=True)
    if baseline:
        _print_row("Decoder alone", compare(rows, lambda clip: clip.decoded.astype(np.float32)))
    for path in runs:
        network = load_filter(path)
        found = compare(rows, lambda clip, network=network: enhance(network, clip))  # type: ignore[misc]
        _print_row(path.stem, found)


def _print_row(name: str, figures: list[list[float]]) -> None:
    cells = (" / ".join(f"{x:.3f}" for x in pair) for pair in zip(*figures, strict=True))
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def write_clips(state: Path, folder: Path, store: Path, allocate: bool) -> None:
    """Decode the .npy or .flac clips of a folder with a GPU state, and write them to `store`."""
    paths = sorted(folder.glob("*.npy")) or sorted(folder.glob("*.flac"))
    seconds = ALLOCATED_SECONDS if allocate else FIXED_SECONDS
    arrays: dict[str, Any] = {}
    codec = FrozenCodec(state)
    for index, path in enumerate(paths):
        clip = np.load(path) if path.suffix == ".npy" else read_mono(path)
        clip = clip[: min(len(clip), seconds * CODED_RATE) // HOP * HOP]
        gains, codes = codec.encode(clip, DEPTH)
        for name, stages in zip(FIXED, ALLOCATED if allocate else FIXED, strict=True):
            counts = mean_counts(gains, stages) if allocate else fixed_counts(gains, int(stages))
            decoded = codec.decode(clip, gains, codes, counts)
            for field in Decoded._fields:
                arrays[f"{name:.0f}.{index}.{field}"] = getattr(decoded, field)
    np.savez(store, **arrays)


def read_clips(store: Path) -> Rows:
    """Return the clips that `write_clips` wrote."""
    with np.load(store) as stored:
        count = len({key.split(".")[1] for key in stored})
        return [
            [
                Decoded(*(stored[f"{name:.0f}.{index}.{field}"] for field in Decoded._fields))
                for index in range(count)
            ]
            for name in FIXED
        ]


def fixed_counts(gains: Integers, stages: int) -> Integers:
    """Return the same stage count for every frame [F] that is not silent."""
    return np.where(gains > 0, stages, 0).astype(np.int32)


def mean_counts(gains: Integers, stages: float) -> Integers:
    """Return the stage counts [F] of packets at the level whose mean is nearest to `stages`."""
    choices = [allocated_counts(gains, level, DEPTH) for level in range(8, 200)]
    return min(choices, key=lambda counts: abs(float(counts.mean()) - stages))


@torch.no_grad()
def enhance(network: AdaptiveFilter, clip: Decoded) -> Floats:
    """Return the filtered samples [T] of a clip, aligned with the original."""
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
    output: Floats = network(inputs, History())[0, DELAY * HOP :].numpy()
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
