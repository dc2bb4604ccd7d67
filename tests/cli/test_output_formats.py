"""Formats of decoded files: --to, --bits and the extension of the output."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import soundfile

from in_process import nacli
from nacli.audio.containers import CONTAINERS
from nacli.cli.decode import CONTAINER_EXTENSIONS

RATE = 16_000


def write(*paths: str, seconds: float = 0.2) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        container = {".aif": "AIFF"}.get(Path(path).suffix)
        silence = [0.1] * round(seconds * RATE)
        soundfile.write(path, silence, RATE, subtype="PCM_16", format=container)


def test_batches_are_decoded_to_a_format_and_depth(here: Path) -> None:
    write("a.wav", "b.wav")
    nacli("encode", "a.wav", "b.wav")
    done = nacli("decode", "--to", "flac", "--bits", "24", "a.nac", "b.nac", "--output-dir", "out")
    assert done.exit_code == 0, done.stderr
    for name in ("a.flac", "b.flac"):
        info = soundfile.info(here / "out" / name)
        assert (info.format, info.subtype, info.frames) == ("FLAC", "PCM_24", 0.2 * RATE)


@pytest.mark.parametrize(
    ("arguments", "name", "subtype"),
    [
        (["--to", "wav"], "a.wav", "PCM_16"),
        (["--bits", "8"], "a.wav", "PCM_U8"),
        (["--bits", "24"], "a.wav", "PCM_24"),
        (["--bits", "32"], "a.wav", "PCM_32"),
        (["--bits", "32f"], "a.wav", "FLOAT"),
        (["--to", "flac"], "a.flac", "PCM_16"),
        (["--to", "FLAC"], "", ""),
        (["--to", "flac", "--bits", "8"], "a.flac", "PCM_S8"),
        (["--to", "flac", "-o", "x.flac"], "x.flac", "PCM_16"),
        (["--to", "aiff", "-o", "x.aif", "--bits", "24"], "x.aif", "PCM_24"),
        (["--to", "ogg"], "a.ogg", "VORBIS"),
    ],
)
def test_formats_and_depths(here: Path, arguments: list[str], name: str, subtype: str) -> None:
    write("in/a.wav")
    nacli("encode", "in/a.wav", "-o", "a.nac")
    done = nacli("decode", "a.nac", *arguments)
    assert done.exit_code == (0 if name else 2), done.stderr
    assert {path.name for path in here.iterdir()} == {"in", "a.nac", *filter(None, [name])}
    if name:
        assert soundfile.info(name).subtype == subtype


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--to", "flac", "--bits", "32"], 4, "a.flac: FLAC cannot hold 32-bit samples"),
        (["--to", "flac", "--bits", "32f"], 4, "a.flac: FLAC cannot hold float samples"),
        (["--to", "ogg", "--bits", "16"], 4, "a.ogg: OGG cannot hold 16-bit samples"),
        (["-o", "x.flac", "--bits", "32"], 4, "x.flac: FLAC cannot hold 32-bit samples"),
        (["--to", "flac", "-o", "x.wav"], 2, "--to flac contradicts -o x.wav"),
        (["--to", "flac", "-o", "-"], 2, "stdout gets WAV"),
        (["--to", "flac", "-c"], 2, "stdout gets WAV"),
        (["--to", "wav", "--raw"], 2, "without --raw"),
        (["--bits", "16", "--raw"], 2, "without --raw"),
        (["--bits", "12"], 2, "--bits"),
        (["-o", "x.mp3"], 4, "extension .mp3 is none that nacli writes (.wav .flac"),
        (["-o", "x"], 4, "x: the name has no extension; nacli writes .wav"),
    ],
)
def test_formats_that_cannot_be_written(
    here: Path, arguments: list[str], code: int, words: str
) -> None:
    write("in/a.wav")
    nacli("encode", "in/a.wav", "-o", "a.nac")
    done = nacli("decode", "a.nac", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr
    assert {path.name for path in here.iterdir()} == {"in", "a.nac"}


def test_the_option_to_needs_a_name_for_the_output_of_a_pipe(here: Path) -> None:
    write("a.wav")
    nac = nacli("encode", "a.wav", "-c").stdout_bytes
    assert nacli("decode", "-", "--to", "flac", stdin=nac).exit_code == 2
    assert nacli("decode", "-", "--to", "flac", "-o", "x.flac", stdin=nac).exit_code == 0
    piped = nacli("decode", "-", "--to", "wav", "--bits", "24", stdin=nac)
    assert soundfile.info(io.BytesIO(piped.stdout_bytes)).subtype == "PCM_24"


def test_every_format_that_is_written_can_be_chosen() -> None:
    chosen = {name for names in CONTAINER_EXTENSIONS.values() for name in names}
    assert chosen == set(CONTAINERS)
