"""Decode damaged .nac files, and report crashes, hangs and memory (`make fuzz`).

The script changes, cuts, repeats and mixes the bytes of small valid files, repairs the CRCs of half
of them so that the damage reaches the code behind the checks, and decodes them. A file must give
sound or one of nacli's errors, in little time and memory; any other file is kept in a folder, and
the script fails.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from nacli.api import encode
from nacli.decoder.stream import Decoder
from nacli.errors import NacliError
from nacli.format import Parser
from nacli.format.header import FRONT_BYTES, Tag, find_section
from nacli.format.wire import CRC_BYTES, Short, seal
from nacli.jobs.decode_file import decode_file
from nacli.jobs.options import DecodeOptions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from fake_model import make_model

MAX_SECONDS = 20.0
"""Seconds of CPU time after which a file counts as a hang."""
MAX_GIB = 1.0
"""Most memory that a process may take."""


def seeds(model: Any) -> list[bytes]:
    """Return small valid files of many kinds."""
    random = np.random.default_rng(0)
    files = []
    for rate, channels, samples, options in (
        (24_000, 1, 4000, {"packet_frames": 3}),
        (44_100, 2, 9000, {"packet_frames": 4, "tags": ["TITLE=a", "ARTIST=b"]}),
        (8_000, 1, 2000, {"packet_frames": 1}),
        (48_000, 3, 5000, {"packet_frames": 75}),
        (24_000, 1, 0, {}),
        (24_000, 1, 3000, {"packet_frames": 2}),
    ):
        pcm = (random.normal(size=(samples, channels)) * 0.2).astype(np.float32)
        pcm[samples // 2 :] *= 0.01
        files.append(encode(pcm, rate, model=model, bitrate=12 * channels, **options))
    return files


def mutate(files: list[bytes], random: np.random.Generator) -> bytes:
    """Return a damaged file."""
    data = bytearray(files[random.integers(len(files))])
    for _ in range(1 + random.geometric(0.5)):
        low = 0 if random.random() < 0.4 else min(80, len(data))  # the header gets the most damage
        at = int(random.integers(low, len(data) + 1))
        length = int(random.geometric(0.1))
        match random.integers(7):
            case 0:
                data[at : at + 1] = bytes([random.integers(256)])
            case 1:
                data[at : at + 1] = bytes(b ^ (1 << random.integers(8)) for b in data[at : at + 1])
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = random.bytes(length)
            case 4:
                data[at : at + length] = random.choice([b"\xff", b"\x80", b"\0"]) * length
            case 5:
                other = files[random.integers(len(files))]
                start = int(random.integers(len(other)))
                data[at:at] = other[start : start + 4 * length]
            case 6:
                data = data[:at] if random.random() < 0.3 else data
    return mend(bytes(data)) if random.random() < 0.5 else bytes(data)


def mend(data: bytes) -> bytes:
    """Correct the CRCs of a file wherever its structure can still be parsed."""
    mended, at = bytearray(data), FRONT_BYTES
    tag = None
    try:
        while tag != Tag.END:
            tag, at = find_section(mended, at)
    except (Short, ValueError):
        return data
    at += CRC_BYTES
    seal_part(mended, 0, at)
    starts = [i for i in range(at, len(data) - 1) if data[i] == 0xAC and data[i + 1] & 0xEE == 0xE0]
    for start, stop in pairwise([*starts, len(data)]):
        if stop - start > 8:
            seal_part(mended, start, stop)
    return bytes(mended)


def seal_part(data: bytearray, start: int, stop: int) -> None:
    """Replace the last bytes of a complete part by its CRC."""
    if stop <= len(data):
        data[start:stop] = seal(bytes(data[start : stop - CRC_BYTES]))


def attempt(model: Any, data: bytes) -> str:
    """Parse a file, decode it with concealment, and return the outcome."""
    parser = Parser()
    gaps: list[Any] = []
    try:
        for _ in (*parser.feed(data), *parser.finish()):
            pass
        decoder = Decoder(model, on_gap=gaps.append)
        for pcm in chain(decoder.blocks(data), decoder.last_blocks()):
            assert pcm.dtype == np.float32 and np.isfinite(pcm).all()
    except NacliError as error:
        return type(error).__name__ if "\n" not in str(error) else "FAILED"
    return "concealed" if gaps else "decoded"


def to_file(model: Any, data: bytes, folder: Path) -> None:
    """Convert a file, and check that no files but the output remain."""
    source = folder / "x.nac"
    source.write_bytes(data)
    target = folder / "x.wav"
    try:
        options = DecodeOptions(force=True)
        decode_file(str(source), str(target), model, options, lambda _: None, lambda _: None)
    except NacliError:
        assert not target.exists()
    others = {path.name for path in folder.iterdir()} - {"x.nac", "x.wav"}
    assert not others, others
    target.unlink(missing_ok=True)


def fuzz(seed: int, count: int, seconds: float, folder: Path) -> Iterator[tuple[str, float]]:
    """Yield the outcome and the CPU seconds of each file, for `count` files or `seconds`."""
    model = make_model()
    files, random = seeds(model), np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + seconds
    for number in range(count):
        if time.monotonic() > until:
            return
        data = mutate(files, random)
        began = time.process_time()
        try:
            end = attempt(model, data)
            if number % 200 == 0:
                to_file(model, data, folder)
        except Exception:
            (folder / f"failed-{seed}-{number}.nac").write_bytes(data)
            traceback.print_exc()
            end = "FAILED"
        took = time.process_time() - began
        if took > MAX_SECONDS:
            (folder / f"slow-{seed}-{number}.nac").write_bytes(data)
            end = "FAILED"
        yield end, took


def work(task: tuple[int, int, float, Path]) -> tuple[Counter[str], float, float]:
    """Decode the files of a task; return outcomes, seconds of the slowest, peak memory in GiB."""
    ends: Counter[str] = Counter()
    slowest = 0.0
    for end, took in fuzz(*task):
        ends[end] += 1
        slowest = max(slowest, took)
    return ends, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@click.command("fuzz")
@click.option("--files", default=1_000_000, help="Damaged files in all.")
@click.option("--seconds", default=3600.0, help="Stop after this time.")
@click.option("--seed", default=1)
@click.option("--jobs", default=2, help="Processes.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("runs/fuzz"),
    help="Keep the files that fail here.",
)
def main(files: int, seconds: float, seed: int, jobs: int, folder: Path) -> None:
    """Print the outcomes of the damaged files; exit with 1 if one failed."""
    rounds = 100
    each = -(-files // (jobs * rounds))
    tasks = [
        (seed * 1_000_000 + number, each, seconds / rounds, folder / str(number))
        for number in range(jobs * rounds)
    ]
    ends: Counter[str] = Counter()
    slowest, peak = 0.0, 0.0
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for outcomes, took, memory in tqdm(pool.imap_unordered(work, tasks), total=len(tasks)):
            ends += outcomes
            slowest, peak = max(slowest, took), max(peak, memory)
    for end, times in ends.most_common():
        click.echo(f"{times:9d}  {end}")
    click.echo(f"{ends.total():9d}  files; slowest {slowest:.2f} s, peak memory {peak:.2f} GiB")
    if ends["FAILED"] or peak > MAX_GIB:
        sys.exit(1)


if __name__ == "__main__":
    main()
