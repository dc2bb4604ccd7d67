"""Measure a checkpoint on a folder of clips: real bytes, quality and speed at every rate.

    python scripts/evaluate.py --clips ../shared/eval --bitrate 1.5,3,6,12

Each sub-folder is a group; clips under `speech` also get PESQ-WB and ESTOI. Every figure comes from
whole .nac files made and read back by the Python API; kbps leaves out the fixed cost of a file, as
`--bitrate` promises. "payload" is the size of payloads in per cent of the plain size of their
codes and corrections (10 bits each); "codes" leaves out gains and the high band. "bright" is the
energy above 4 kHz relative to the original's in dB: dull sound is under 0. Clips are mixed to mono
first, as the figures of the peers were.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from nacli.bench import metrics
from nacli.bench.clips import Clip, read_clip, resample
from nacli.checkpoint import Model, load_checkpoint
from nacli.decoder.stream import Decoder
from nacli.encoder.settings import DEFAULT_EFFORT, EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.format import Packet, Parser, fixed_bytes
from nacli.inspection.bit_budget import CodeCounter

COLUMNS = (
    "kbps",
    "payload",
    "codes",
    "mel",
    "SI-SDR",
    "bright",
    "PESQ-WB",
    "ESTOI",
    "enc x",
    "dec x",
)


def measure(model: Model, clip: Clip, bitrate: float, effort: int) -> dict[str, float]:
    """Encode and decode a clip of one channel, and return its figures."""
    pcm, rate = clip.pcm[:, 0], clip.rate
    began = time.perf_counter()
    encoder = Encoder(model, rate, 1, EncoderSettings(bitrate=bitrate, effort=effort))
    data = encoder.encode(pcm[:, None]) + encoder.finish()
    encoded = time.perf_counter()
    decoder = Decoder(model)
    decoded = np.concatenate([decoder.decode(data), decoder.finish()])[:, 0]
    finished = time.perf_counter()
    assert decoder.header is not None and len(decoded) == len(pcm)
    seconds = len(pcm) / rate
    payload, codes = shares(model, data)
    row = {
        "payload": payload,
        "codes": codes,
        "kbps": (len(data) - fixed_bytes(decoder.header)) * 8 / seconds / 1000,
        "mel": metrics.log_mel_distance(pcm, decoded, rate),
        "SI-SDR": metrics.si_sdr(pcm, decoded),
        "bright": metrics.brightness(pcm, decoded, rate),
        "enc x": seconds / (encoded - began),
        "dec x": seconds / (finished - encoded),
    }
    if clip.group == "speech":
        speech_rate = metrics.SPEECH_RATE
        pair = [resample(x[:, None], rate, speech_rate)[:, 0] for x in (pcm, decoded)]
        row |= {"PESQ-WB": metrics.pesq_wb(*pair), "ESTOI": metrics.estoi(*pair)}
    return row


def shares(model: Model, data: bytes) -> tuple[float, float]:
    """Return the size of payloads in per cent of the codes' plain size, with and without gains and
    the levels of the high band."""
    parser, counter = Parser(), CodeCounter(model)
    payload_bits = 0
    for event in [*parser.feed(data), *parser.finish()]:
        counter.take(event)
        payload_bits += 8 * len(event.payload) if isinstance(event, Packet) else 0
    counts = counter.result()
    raw = max(1, (int(counts.codes.sum()) + counts.corrections) * counts.plain_bits)
    rest = payload_bits - counts.gain_bits - counts.high_bits
    return 100 * payload_bits / raw, 100 * rest / raw


def groups(clips: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield the names of sub-folders and their audio files, sorted."""
    for folder in sorted(path for path in clips.iterdir() if path.is_dir()):
        yield folder.name, sorted(p for p in folder.iterdir() if p.suffix in (".flac", ".wav"))


def print_row(name: str, bitrate: float, rows: list[dict[str, float]]) -> None:
    """Print the means of the figures of several clips."""
    cells = [f"{name:8} {bitrate:5g}"]
    for column in COLUMNS:
        values = [row[column] for row in rows if column in row]
        cells.append(f"{np.nanmean(values):8.3f}" if values else " " * 8)
    print(" ".join(cells), flush=True)


@click.command("evaluate")
@click.option("--clips", type=click.Path(path_type=Path), default=Path("../shared/eval"))
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--bitrate", default="1.5,3,6,12", help="kbps, separated by commas.")
@click.option("--seconds", default=0.0, help="Use only the start of each clip; 0 uses all.")
@click.option("--tables", is_flag=True, help="Use the static tables, not the learned model.")
@click.option("--effort", default=DEFAULT_EFFORT, help="As in `nacli encode`.")
def main(
    clips: Path, checkpoint: Path | None, bitrate: str, seconds: float, tables: bool, effort: int
) -> None:
    """Print a table of means, one row for each group and bitrate."""
    model = load_checkpoint(checkpoint)
    if tables:
        model.entropy = model.tables
    print(f"{'group':8} {'asked':>5} " + " ".join(f"{column:>8}" for column in COLUMNS))
    for name, paths in groups(clips):
        group = [read_clip(path, seconds or None, mono=True) for path in paths]
        for kbps in map(float, bitrate.split(",")):
            rows = [measure(model, clip, kbps, effort) for clip in group]
            print_row(name, kbps, rows)


if __name__ == "__main__":
    main()
