"""Gather the training corpus: one mono 24 kHz int16 `.npy` per source, and `index.json`.

    python scripts/corpus.py --part-one ../shared/corpus --out data/corpus

Part one is a folder of Ogg Opus files named `<source>-*.opus`; part two is fetched from Debian
packages with `apt-get download`. Training reads random windows of these arrays through a memory
map, so decoding, downmixing and resampling are done here, once. Levels are left as they are: the
codec must cope with quiet and loud input alike, and gain is the trainer's augmentation to choose.

A source whose array exists is not made again (delete the file to remake it), and the index is
rewritten after every source, so that training can start on what is there.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import click
import numpy as np
import soundfile
import soxr

RATE = 24_000
GAP = np.zeros(RATE // 10, np.int16)  # between clips, as in part one
MIN_SECONDS = 0.3
MIN_RATE = 16_000  # narrow-band clips would teach the codec to leave out the upper bands
MAX_CLIPPED = 0.02  # of the samples; loudly mastered rock stays well below
MIN_RMS = 1e-4
SUFFIXES = (".ogg", ".opus", ".wav", ".flac", ".aiff", ".g722")
ZIP_SUFFIXES = (".pk3", ".orgue")  # data of games derived from Quake, and of GrandOrgue


@dataclass(frozen=True)
class Source:
    """A row of the corpus: clips of one kind, from part one or from one Debian package."""

    name: str
    kind: str  # speech, music or ambience
    licence: str
    origin: str  # what part one's README says, or "debian:<package>"
    only: str = ""  # a pattern found in the paths of its files
    ffmpeg: bool = False  # decodes what libsndfile cannot read

    @property
    def package(self) -> str:
        """The Debian package to fetch; empty for part one."""
        return self.origin.partition("debian:")[2]


SOURCES = [
    Source("librispeech", "speech", "CC BY 4.0", "LibriSpeech train-clean-100"),
    Source("s2i", "speech", "Apache-2.0", "Picovoice/speech-to-intent-benchmark"),
    Source("kathleen", "speech", "CC0", "rhasspy/dataset-voice-kathleen"),
    Source("kerstin", "speech", "CC0", "rhasspy/dataset-voice-kerstin"),
    Source("ljspeech", "speech", "public domain", "LJSpeech excerpt, coqui-ai/TTS"),
    Source("vctk", "speech", "CC BY 4.0", "VCTK p225-p228, auspicious3000/autovc"),
    Source("speechocean", "speech", "free for any use", "jimbozhang/speechocean762"),
    Source("piano", "music", "public domain", "sfzinstruments/SplendidGrandPiano"),
    Source("bass", "music", "CC0", "sfzinstruments/dsmolken.double-bass"),
    Source("percussion", "music", "CC0, Apache-2.0",
           "sfzinstruments/body_percussion, GoogleChromeLabs/web-audio-samples"),
    Source("ambience", "ambience", "CC0, CC BY, public domain, CC BY-SA 4.0",
           "rafaelmardojai/blanket, Fris0uman/CDDA-Soundpacks"),
    Source("ufoai-music", "music", "GPL-2+, CC BY 3.0, CC BY-SA 3.0, public domain",
           "debian:ufoai-music"),
    Source("wesnoth-music", "music", "GPL-2+, CC BY-SA 4.0", "debian:wesnoth-1.16-music"),
    Source("nexuiz-music", "music", "GPL-2+", "debian:nexuiz-music"),
    Source("singularity-music", "music", "CC BY-SA 3.0", "debian:singularity-music"),
    Source("hedgewars-music", "music", "GPL-2", "debian:hedgewars-data", only="/Music/"),
    Source("hedgewars-voices", "speech", "GFDL 1.3", "debian:hedgewars-data",
           only="/voices/(?!Robot/)"),
    Source("hedgewars-effects", "ambience", "GFDL 1.3, CC BY-SA 3.0", "debian:hedgewars-data",
           only="/Sounds/(?!voices/)"),
    Source("colobot-music", "music", "GPL-3+", "debian:colobot-common-sounds", only="/music/"),
    Source("colobot-effects", "ambience", "GPL-3+", "debian:colobot-common-sounds",
           only="/sounds/"),
    Source("unknown-horizons-music", "music", "CC BY-SA 3.0", "debian:unknown-horizons",
           only="/audio/music/"),
    Source("unknown-horizons-voices", "speech", "CC BY-SA 3.0", "debian:unknown-horizons",
           only="/audio/voice/"),
    Source("unknown-horizons-effects", "ambience", "CC BY-SA 3.0", "debian:unknown-horizons",
           only="/audio/sounds/"),
    Source("fretsonfire-songs-muldjord", "music", "CC BY-SA 3.0",
           "debian:fretsonfire-songs-muldjord"),
    Source("fretsonfire-songs-sectoid", "music", "MIT", "debian:fretsonfire-songs-sectoid"),
    Source("festvox-ru", "speech", "BSD-like", "debian:festvox-ru"),
    Source("fillets-ng-cs", "speech", "GPL-2", "debian:fillets-ng-data-cs"),
    Source("fillets-ng-nl", "speech", "GPL-2", "debian:fillets-ng-data-nl"),
    *(Source(f"asterisk-core-sounds-{language}-g722", "speech", licence,
             f"debian:asterisk-core-sounds-{language}-g722", only="^(?!.*/silence/)", ffmpeg=True)
      for language, licence in (("en", "CC BY-SA 3.0"), ("es", "CC BY-SA 3.0"),
                                ("fr", "CC BY-SA 3.0"), ("it", "CC BY 3.0"), ("ru", "CC BY 3.0"))),
    Source("tuxpaint-stamps", "speech", "GPL-2", "debian:tuxpaint-stamps-default",
           only=r"(?<!_es)\.ogg$"),  # the Spanish recordings are clipped
    Source("klettres", "speech", "GPL-2+", "debian:klettres-data",
           only="/klettres/(?!ml/)"),  # and the Malayalam ones
    Source("ktuberling", "speech", "GPL-2+", "debian:ktuberling-data"),
    Source("hyperrogue-music", "music", "GPL-2+, CC BY 3.0, CC BY-SA 3.0",
           "debian:hyperrogue-music", only="/music/"),
    Source("hyperrogue-effects", "ambience", "CC BY-SA 4.0, CC BY 3.0, CC0",
           "debian:hyperrogue-music", only="/sounds/"),
    Source("hydrogen-drumkits", "music", "GPL-2, GPL-2+, CC BY 3.0, CC BY-SA 3.0, CC0",
           "debian:hydrogen-drumkits"),
    Source("hydrogen-guitar", "music", "CC BY 3.0", "debian:hydrogen-drumkits-effects"),
    Source("sonic-pi-samples", "music", "CC0", "debian:sonic-pi-samples", only="/samples/"),
    Source("lomiri-sounds", "music", "CC BY-SA 3.0, CC BY 3.0, CC BY 4.0, CC0",
           "debian:lomiri-sounds"),
    Source("grandorgue-demo", "music", "GPL-2+ or CC BY-SA 2.5", "debian:grandorgue-demo",
           ffmpeg=True),  # WavPack, though the names end in .wav
]


def refuse_eval(path: Path) -> None:
    """Evaluation clips are for measuring only: nothing of them is ever trained on."""
    if "eval" in path.resolve().parts:
        raise SystemExit(f"corpus: {path} lies under a folder named eval; refusing to read it")


def read_clip(path: Path, ffmpeg: bool) -> tuple[np.ndarray, int]:
    """Decode a file to float32 pcm [T, C] and its sample rate in Hz."""
    refuse_eval(path)
    if not ffmpeg:
        return soundfile.read(path, dtype="float32", always_2d=True)
    with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(path), wav.name]
        subprocess.run(command, check=True)
        return soundfile.read(wav.name, dtype="float32", always_2d=True)


def fault(pcm: np.ndarray, rate: int) -> str | None:
    """Why a clip [T] is no use for training, or None if it is fine."""
    if rate < MIN_RATE:
        return "narrow-band"
    if len(pcm) < MIN_SECONDS * rate:
        return "short"
    if not np.isfinite(pcm).all():
        return "not finite"
    if np.mean(np.abs(pcm) >= 0.999) > MAX_CLIPPED:
        return "clipped"
    if np.sqrt(np.mean(pcm**2)) < MIN_RMS:
        return "silent"
    return None


def to_int16(pcm: np.ndarray, rate: int) -> np.ndarray:
    """Resample float pcm [T] to 24 kHz int16; what overshoots full scale is clipped."""
    resampled = soxr.resample(pcm, rate, RATE, quality="HQ")
    return np.rint(np.clip(resampled, -1, 1) * 32767).astype(np.int16)


def usable_clips(paths: list[Path], ffmpeg: bool, tally: Counter[str]) -> Iterator[np.ndarray]:
    """Yield the clips that are fit, 24 kHz int16 [T]; count what was kept and what dropped."""
    for path in paths:
        try:
            pcm, rate = read_clip(path, ffmpeg)
        except (soundfile.LibsndfileError, subprocess.CalledProcessError):
            tally["unreadable"] += 1
            continue
        pcm = pcm.mean(axis=1)
        reason = fault(pcm, rate)
        tally[reason or "kept"] += 1
        if reason is None:
            yield to_int16(pcm, rate)


def write_header(file: BinaryIO, samples: int) -> None:
    """NumPy pads the header for a first axis that grows, so that it can be rewritten in place."""
    header = {"descr": "<i2", "fortran_order": False, "shape": (samples,)}
    np.lib.format.write_array_header_1_0(file, header)


def write_npy(target: Path, clips: Iterable[np.ndarray]) -> int:
    """Stream the clips to an int16 array file, one in memory at a time; return its samples."""
    partial = target.with_suffix(".partial")
    samples = 0
    with open(partial, "wb") as file:
        write_header(file, 0)
        for clip in clips:
            file.write(clip.tobytes() + GAP.tobytes())
            samples += len(clip) + len(GAP)
        file.seek(0)
        write_header(file, samples)
    if samples:
        os.replace(partial, target)
    return samples


def unpack(package: str, debian: Path, tree: Path) -> None:
    """Fetch a Debian package, unless it was fetched before, and unpack it into `tree`."""
    deb = debian / f"{package}.deb"
    if not deb.exists():
        with tempfile.TemporaryDirectory(dir=debian) as folder:
            subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True)
            os.replace(next(Path(folder).glob("*.deb")), deb)
    subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    for archive in [path for path in tree.rglob("*") if path.suffix in ZIP_SUFFIXES]:
        shutil.unpack_archive(archive, archive.with_suffix(""), "zip")


def clip_paths(source: Source, root: Path) -> list[Path]:
    """The files of a source under `root`, in a fixed order, those with the same bytes once."""
    pattern = source.only if source.package else f"^{source.name}-"
    paths = [path for path in sorted(root.rglob("*"))
             if path.suffix in SUFFIXES and re.search(pattern, str(path.relative_to(root)))
             and path.is_file()]
    return list({hashlib.sha256(path.read_bytes()).digest(): path for path in paths}.values())


def convert(source: Source, root: Path, out: Path) -> str:
    """Make the array of one source; return a line that says what came of it."""
    if source.ffmpeg and not shutil.which("ffmpeg"):
        return f"{source.name}: skipped: ffmpeg is needed to decode it and is not installed"
    tally: Counter[str] = Counter()
    clips = usable_clips(clip_paths(source, root), source.ffmpeg, tally)
    samples = write_npy(out / f"{source.name}.npy", clips)
    counts = ", ".join(f"{count} {what}" for what, count in tally.most_common())
    return f"{source.name}: {samples / RATE / 3600:.2f} h ({counts or 'no files'})"


def gather(sources: list[Source], part_one: Path, out: Path) -> list[str]:
    """Make the arrays of the sources of one package, or of a source of part one."""
    if not (package := sources[0].package):
        return [convert(source, part_one, out) for source in sources]
    debian = out.parent / "debian"
    debian.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{package}-", dir=debian) as tree:
        unpack(package, debian, Path(tree))
        return [convert(source, Path(tree), out) for source in sources]


def report(job: list[Source], future: Future[Any]) -> None:
    """Print what became of a job; one that failed leaves the others to go on."""
    try:
        print(*future.result(), sep="\n", flush=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{job[0].package or job[0].name}: skipped: {error}", file=sys.stderr)


def write_index(out: Path) -> list[dict[str, Any]]:
    """List the arrays that are there in index.json, replaced at once; return the list."""
    index = []
    for source in SOURCES:
        path = out / f"{source.name}.npy"
        if path.exists():
            hours = round(len(np.load(path, mmap_mode="r")) / RATE / 3600, 4)
            index.append({"name": source.name, "file": path.name, "kind": source.kind,
                          "hours": hours, "licence": source.licence, "origin": source.origin})
    partial = out / "index.json.partial"
    partial.write_text(json.dumps(index, indent=1) + "\n")
    os.replace(partial, out / "index.json")
    return index


def print_table(index: list[dict[str, Any]]) -> None:
    """Hours of each source, and in total of each kind."""
    totals: Counter[str] = Counter()
    for row in index:
        print(f"{row['name']:30} {row['kind']:8} {row['hours']:6.2f} h  {row['licence']}")
        totals[row["kind"]] += row["hours"]
    for kind, hours in [*totals.items(), ("all", totals.total())]:
        print(f"{'total':30} {kind:8} {hours:6.2f} h")


@click.command("corpus")
@click.option("--part-one", type=click.Path(path_type=Path), required=True, help="Opus files.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="For the arrays.")
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a source is missing.")
def main(part_one: Path, out: Path, workers: int, strict: bool) -> None:
    """Make the arrays that are missing, and print the hours of each source."""
    refuse_eval(part_one)
    out.mkdir(parents=True, exist_ok=True)
    todo = [source for source in SOURCES if not (out / f"{source.name}.npy").exists()]
    # Sources of one package are neighbours in the table, so that it is unpacked once.
    jobs = [list(job) for _, job in groupby(todo, key=lambda source: source.package or source)]
    with ProcessPoolExecutor(workers) as pool:
        futures = {pool.submit(gather, job, part_one, out): job for job in jobs}
        for future in as_completed(futures):
            report(futures[future], future)
            write_index(out)
    index = write_index(out)
    print_table(index)
    if strict and len(index) < len(SOURCES):
        sys.exit(1)


if __name__ == "__main__":
    main()
