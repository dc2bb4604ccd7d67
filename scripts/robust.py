"""Measure hard cases through whole .nac files, and print their figures as a Markdown table.

    python scripts/robust.py --clips ../shared/eval --bitrate 3,6 --out out/robust

All columns but the first and the third are in dB; a cell is empty where a case has nothing to
measure:

- kbps: bitrate without the fixed cost of a file
- level: of the decoded sound relative to the original; level, mel and SI-SDR ignore DC offsets
- mel: log-mel distance
- SI-SDR
- inside: peak of the decoded sound in digital silence, at least 27 ms away from any sound; the
  difference of two channels counts as a channel here. "none" is exact silence
- before, after: the same within the 27 ms before a sound starts and after it ends
- edge: roughness at the edges of packets (energy of the second difference within 2 ms, relative to
  the median nearby) minus that of the original, mean over the edges; in brackets the same in the
  middle of packets, as a reference
- tone: signal-to-noise ratio of the tones of a case that consists of tones
- treble: energy above 4 kHz relative to the original
- DC: mean of the decoded sound
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from hard_cases import Case, cases, recordings
from nacli.api import decode, encode, load_model
from nacli.bench import metrics
from nacli.bench.clips import write_pcm
from nacli.config import CODED_RATE, ModelConfig
from nacli.format import Header, Parser, fixed_bytes
from nacli.types import Doubles, Pcm

PACKET_FRAMES = 75
NEAR = 0.0267
"""Seconds beside a sound that frames with the sound cover."""
SILENCE = 0.1
"""Seconds of zeros that count as digital silence."""
TREBLE = 4000
"""Lowest frequency of treble in Hz."""
NO_TREBLE_DB = -60.0
"""Treble that is weaker than this, relative to the whole, is not measured."""
COLUMNS = [
    "kbps",
    "level",
    "mel",
    "SI-SDR",
    "inside",
    "before",
    "after",
    "edge",
    "tone",
    "treble",
    "DC",
]


def measure(case: Case, bitrate: float) -> tuple[dict[str, str], Pcm]:
    """Return a row of the table, and the decoded samples [T, C]."""
    data = encode(case.pcm, case.rate, bitrate=bitrate, packet_frames=PACKET_FRAMES)
    decoded, _ = decode(data)
    channels = zip(case.pcm.T.astype(float), decoded.T.astype(float), strict=True)
    pairs = list(channels)
    first, second = pairs[0]
    steady = first - first.mean(), second - second.mean()
    row = {
        "kbps": f"{real_kbps(data, len(first) / case.rate):.2f}",
        "level": f"{decibels(power(steady[1]) / power(steady[0])):+.1f}",
        "mel": f"{metrics.log_mel_distance(*steady, case.rate):.2f}",
        "SI-SDR": f"{metrics.si_sdr(*steady):.1f}",
        "DC": peak_text(abs(float(second.mean()))),
    }
    for name, peaks in silences(silence_pairs(pairs), case.rate).items():
        row[name] = peak_text(max(peaks)) if peaks else ""
    edges, middles = (roughness(first, second, case.rate, shift) for shift in (0.0, 0.5))
    if edges and middles:
        row["edge"] = f"{np.mean(edges):.1f} ({np.mean(middles):.1f})"
    if case.tones:
        row["tone"] = f"{tone_snr(second, case.rate, case.tones):.1f}"
    shares = [treble(first, case.rate), power(first)]
    if shares[0] > 0 and decibels(shares[0] / shares[1]) > NO_TREBLE_DB:
        row["treble"] = f"{decibels(treble(second, case.rate) / shares[0]):+.1f}"
    return row, decoded


def silence_pairs(pairs: list[tuple[Doubles, Doubles]]) -> list[tuple[Doubles, Doubles]]:
    """Return the channels whose silence is measured: all, and the difference of two."""
    if len(pairs) != 2:
        return pairs
    (left, left_out), (right, right_out) = pairs
    return [*pairs, (left - right, left_out - right_out)]


def real_kbps(data: bytes, seconds: float) -> float:
    """Return the bitrate of a file without its fixed cost."""
    header = next(event for event in Parser().feed(data) if isinstance(event, Header))
    return (len(data) - fixed_bytes(header)) * 8 / seconds / 1000


def power(sound: Doubles) -> float:
    """Return the mean power, never zero."""
    return max(float(np.square(sound).mean()), 1e-20)


def decibels(ratio: float) -> float:
    """Return a ratio of powers in dB."""
    return float(10 * np.log10(max(ratio, 1e-20)))


def peak_text(peak: float) -> str:
    """Format a peak in dBFS."""
    return f"{2 * decibels(peak):.0f}" if peak > 0 else "none"


def silences(pairs: list[tuple[Doubles, Doubles]], rate: int) -> dict[str, list[float]]:
    """Return the peaks of the decoded sound in every digital silence of the original: inside it,
    and near the sound before and after it."""
    near = round(NEAR * rate)
    parts: dict[str, list[float]] = {"inside": [], "before": [], "after": []}
    for original, decoded in pairs:
        loud = np.abs(decoded)
        for start, stop in zero_runs(original, round(SILENCE * rate)):
            low, high = start + near * (start > 0), stop - near * (stop < len(original))
            parts["inside"].append(float(loud[low:high].max()))
            parts["after"] += [float(loud[start:low].max())] if start < low else []
            parts["before"] += [float(loud[high:stop].max())] if high < stop else []
    return parts


def zero_runs(sound: Doubles, least: int) -> list[tuple[int, int]]:
    """Return starts and stops of the runs of at least `least` zeros."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], sound == 0, [False]])))
    runs = changes.reshape(-1, 2)
    return [(int(start), int(stop)) for start, stop in runs if stop - start >= least]


def roughness(original: Doubles, decoded: Doubles, rate: int, shift: float) -> list[float]:
    """Return the roughness in dB at every edge between packets, moved by `shift` packets.

    Packet n starts with frame n * PACKET_FRAMES, which completes the hop before its own.
    """
    hop, seconds = ModelConfig().hop, len(original) / rate
    starts = np.arange(1, seconds * CODED_RATE / hop / PACKET_FRAMES - abs(shift)) + shift
    positions = (starts * PACKET_FRAMES - 1) * hop * rate / CODED_RATE
    return [_rough(decoded, int(at), rate) - _rough(original, int(at), rate) for at in positions]


def _rough(sound: Doubles, at: int, rate: int) -> float:
    """Return the energy of the second difference at a sample against the median nearby, in dB."""
    window = round(0.004 * rate)
    start = at - window // 2 - 20 * window
    around = sound[max(0, start % window) :] if start < 0 else sound[start:]
    bends = np.square(np.diff(around[: 41 * window + 2], 2))
    count = len(bends) // window
    energies = bends[: count * window].reshape(count, window).mean(1)
    here = np.square(np.diff(sound[at - window // 2 : at + window - window // 2 + 2], 2)).mean()
    floor = 1e-12  # -120 dB: differences below do not count
    return decibels(float((here + floor) / (np.median(energies) + floor)))


def tone_snr(sound: Doubles, rate: int, hertz: tuple[float, ...]) -> float:
    """Return the energy of the best fit of tones relative to the residual, in dB.

    A tenth of a second is left out at both ends.
    """
    time = np.arange(len(sound)) / rate
    waves = [wave(2 * np.pi * each * time) for each in hertz for wave in (np.sin, np.cos)]
    inner = slice(rate // 10, -rate // 10)
    basis, sound = np.stack(waves, axis=1)[inner], sound[inner]
    fit = basis @ np.linalg.lstsq(basis, sound, rcond=None)[0]
    return decibels(power(fit) / power(sound - fit))


def treble(sound: Doubles, rate: int) -> float:
    """Return the mean power from 4 kHz to the upper end of the coded band, 12 kHz."""
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    band = (hertz > TREBLE) & (hertz < CODED_RATE / 2)
    return float(2 * spectrum[band].sum() / len(sound) ** 2)


@click.command("robust")
@click.option("--clips", type=click.Path(path_type=Path), default=Path("../shared/eval"))
@click.option("--bitrate", default="3,6", help="kbps, separated by commas.")
@click.option("--seconds", default=4.0, help="Seconds of most cases.")
@click.option(
    "--case", "name_part", default="", help="Measure only cases with this text in their names."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write all sounds to this folder.")
def main(clips: Path, bitrate: str, seconds: float, name_part: str, out: Path | None) -> None:
    """Print a table for every bitrate."""
    load_model()
    folder = clips if clips.is_dir() else Path(__file__).parent.parent / "tests" / "data"
    chosen = [case for case in cases(*recordings(folder, seconds)) if name_part in case.name]
    for kbps in map(float, bitrate.split(",")):
        click.echo(f"\n| {kbps:g} kbps | " + " | ".join(COLUMNS) + " |")
        click.echo("|---" * (1 + len(COLUMNS)) + "|")
        for case in chosen:
            row, decoded = measure(case, kbps)
            cells = [row.get(name, "") for name in COLUMNS]
            click.echo(f"| {case.name} | " + " | ".join(cells) + " |")
            if out:
                save(out, case, f"{kbps:g}", decoded)


def save(folder: Path, case: Case, label: str, decoded: Pcm) -> None:
    """Write the original and the decoded sound of a case as WAV files."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "-" for c in case.name)
    for suffix, pcm in (("original", case.pcm), (label, decoded)):
        write_pcm(folder / f"{name}.{suffix}.wav", pcm, case.rate, "FLOAT")


if __name__ == "__main__":
    main()
