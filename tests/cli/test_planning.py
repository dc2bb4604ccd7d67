"""Inputs and outputs of batches: what is converted, skipped, counted, and how outputs are named."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import soundfile

from commands import ENVIRONMENT, FAKE
from in_process import nacli
from nacli.cli.input_files import unrecognised_line
from nacli.cli.planning import Job, Naming, Plan, plan
from nacli.errors import OutputExists, UnreadableInput
from nacli.files.names import AUDIO_EXTENSIONS, FFMPEG_EXTENSIONS, ffmpeg_command

RATE = 16_000
ENCODE, DECODE = Naming(".nac"), Naming(".wav", decodes=True)


def write(*paths: str, seconds: float = 0.2) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        container = {".aif": "AIFF"}.get(Path(path).suffix)
        silence = [0.1] * round(seconds * RATE)
        soundfile.write(path, silence, RATE, subtype="PCM_16", format=container)


def touch(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def planned(
    *sources: str,
    naming: Naming = ENCODE,
    extensions: Collection[str] = AUDIO_EXTENSIONS,
    **other: Any,
) -> Plan:
    given: dict[str, Any] = {"output": None, "output_dir": None, "recursive": False, **other}
    return plan(sources, extensions=extensions, naming=naming, **given)


def outcomes(jobs: list[Job]) -> list[tuple[str, str, int]]:
    return [(job.source, job.target, job.fault.exit_code if job.fault else 0) for job in jobs]


# Files that are not recognised.


def test_files_that_are_not_recognised_are_counted(here: Path) -> None:
    write("in/a.wav")
    names = ("b.m4a", "deep/c.M4A", "deep/d.mp4", "e.wma", "f.txt", "g.jpg", "README")
    touch(*(f"in/{name}" for name in names), "in/old.nac", "in/.hidden.m4a", "in/.DS_Store")
    os.mkfifo("in/pipe.m4a")
    counted = planned("in", recursive=True).unrecognised
    assert counted == Counter({".m4a": 2, ".mp4": 1, ".wma": 1, ".txt": 1, ".jpg": 1, "": 1})
    done = nacli("encode", "-r", "in", "--report", "r.json")
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1] == (
        "7 files not recognised as audio: .m4a, no extension, .jpg, .mp4, .txt, .wma; "
        "ffmpeg decodes .m4a, .mp4, .wma: ffmpeg -i x.m4a -f wav - | nacli encode - -o x.nac"
    )
    assert json.loads((here / "r.json").read_text())["unrecognised"] == counted
    assert nacli("encode", "-f", "-q", "-r", "in").stderr == ""


def test_decoding_does_not_mention_unrecognised_files(here: Path) -> None:
    write("in/a.wav")
    nacli("encode", "in/a.wav")
    touch("in/b.m4a")
    assert "recognised" not in nacli("decode", "-f", "-r", "in").stderr


def test_the_line_about_unrecognised_files_stays_short() -> None:
    assert unrecognised_line({".txt": 1}) == "1 file not recognised as audio: .txt"
    line = unrecognised_line({f".{number:02}": 1 for number in range(40)})
    assert line.endswith(".10, .11, 28 more")
    assert "\n" not in unrecognised_line({".a\nb": 1})


def test_extensions_for_ffmpeg_are_not_those_for_libsndfile() -> None:
    assert not AUDIO_EXTENSIONS & FFMPEG_EXTENSIONS
    assert ffmpeg_command("my x.m4a") == (
        "ffmpeg -i 'my x.m4a' -f wav - | nacli encode - -o 'my x.nac'"
    )


# Folders for outputs.


@pytest.mark.parametrize("output", ["new/", "new/deep/", "new//"])
def test_a_slash_at_the_end_makes_a_folder(here: Path, output: str) -> None:
    write("a.wav", "in/b.wav")
    assert nacli("encode", "a.wav", "-o", output).exit_code == 0
    assert (here / output / "a.nac").is_file()
    assert nacli("encode", "-r", "in", "a.wav", "-o", "more/").exit_code == 0
    assert {path.name for path in (here / "more").iterdir()} == {"a.nac", "b.nac"}
    assert nacli("decode", f"{output}a.nac", "-o", "wavs/").exit_code == 0
    assert soundfile.info("wavs/a.wav").frames == 0.2 * RATE


def test_a_slash_after_a_file_is_refused(here: Path) -> None:
    write("a.wav", "b.wav")
    done = nacli("encode", "a.wav", "-o", "b.wav/")
    assert (done.exit_code, "b.wav/ is not a folder" in done.stderr) == (2, True)
    assert nacli("encode", "-", "-o", "new/", stdin=b"x").exit_code == 2
    assert not (here / "new").exists()
    for option in ("-o", "--output-dir"):
        assert nacli("encode", "a.wav", option, "").exit_code == 2


# Inputs that cannot be converted do not stop the others.


def test_a_folder_among_the_inputs_is_skipped(here: Path) -> None:
    write("a.wav", "b.wav", "folder/c.wav")
    done = nacli("encode", "a.wav", "folder", "b.wav", "")
    assert done.exit_code == UnreadableInput.exit_code
    assert "nacli: folder is a folder (-r takes the files in it)\n" in done.stderr
    assert "nacli: '' is not the name of a file\n" in done.stderr
    assert "2 done, 0 skipped, 2 failed" in done.stderr
    assert Path("a.nac").exists() and Path("b.nac").exists() and not Path("folder/c.nac").exists()
    assert nacli("encode", "folder").exit_code == 2


def test_of_two_inputs_for_one_output_the_first_is_converted(here: Path) -> None:
    write("talk.wav", "talk.flac", "other.wav")
    done = nacli("encode", "--delete-input", "talk.wav", "talk.flac", "other.wav")
    assert done.exit_code == OutputExists.exit_code
    line = "nacli: talk.flac: talk.wav already becomes talk.nac (--keep-extension keeps both)\n"
    assert line in done.stderr
    assert {path.name for path in here.iterdir()} == {"talk.flac", "talk.nac", "other.nac"}


def test_the_remedy_is_named_only_where_it_helps(here: Path) -> None:
    touch("in/x.wav", "other/x.wav")
    [_, job] = planned("in/x.wav", "other/x.wav", output_dir="out").jobs
    assert str(job.fault) == "other/x.wav: in/x.wav already becomes out/x.nac"


def test_an_input_that_is_named_twice_is_converted_once(here: Path) -> None:
    touch("in/x.wav")
    jobs = planned("in", "in/x.wav", "in/../in/x.wav", recursive=True).jobs
    assert outcomes(jobs) == [("in/x.wav", "in/x.nac", 0)]


def test_an_output_is_not_the_input_of_another_job(here: Path) -> None:
    touch("a.wav", "out/a.nac", "b.wav")  # audio, whatever its name
    (here / "link.nac").symlink_to("out/a.nac")
    jobs = planned("a.wav", "link.nac", "b.wav", output_dir="out").jobs
    assert outcomes(jobs) == [
        ("a.wav", "out/a.nac", 10),
        ("link.nac", "out/link.nac", 0),
        ("b.wav", "out/b.nac", 0),
    ]
    assert str(jobs[0].fault) == "a.wav would become out/a.nac, which is an input itself"


def test_outputs_among_the_inputs_are_not_replaced(here: Path) -> None:
    """`nacli encode *` where outputs are among the inputs."""
    write("a.wav", "b.wav")
    nacli("encode", "a.wav")
    before = Path("a.nac").read_bytes()
    done = nacli("encode", "a.nac", "a.wav", "b.wav")
    assert done.exit_code == 10
    assert "a.nac: input and output are the same file" in done.stderr
    assert "1 done, 0 skipped, 2 failed" in done.stderr
    again = nacli("encode", "--skip-existing", "a.nac", "a.wav", "b.nac", "b.wav")
    assert again.exit_code == 0
    assert "0 done, 4 skipped, 0 failed" in again.stderr
    assert nacli("encode", "-f", "a.nac", "a.wav").exit_code == 10
    assert Path("a.nac").read_bytes() == before


# Names of outputs.


@pytest.mark.parametrize(
    ("source", "plain", "kept"),
    [
        ("talk.wav", "talk.nac", "talk.wav.nac"),
        ("v1.2.FLAC", "v1.2.nac", "v1.2.FLAC.nac"),
        ("talk", "talk.nac", "talk.nac"),
        (".wav", ".wav.nac", ".wav.nac"),
    ],
)
def test_names_of_encoded_files(source: str, plain: str, kept: str) -> None:
    assert ENCODE.name(source) == plain
    assert Naming(".nac", keep=True).name(source) == kept


@pytest.mark.parametrize(
    ("source", "plain", "flac", "raw"),
    [
        ("talk.nac", "talk.wav", "talk.flac", "talk.raw"),
        ("talk.wav.nac", "talk.wav", "talk.wav.flac", "talk.wav.raw"),
        ("talk.flac.nac", "talk.flac", "talk.flac", "talk.flac.raw"),
        ("talk.AIF.NAC", "talk.AIF", "talk.AIF.flac", "talk.AIF.raw"),
        ("talk.ogg.nac", "talk.ogg.wav", "talk.ogg.flac", "talk.ogg.raw"),
        ("talk.mp3.nac", "talk.mp3.wav", "talk.mp3.flac", "talk.mp3.raw"),
        ("v1.2.nac", "v1.2.wav", "v1.2.flac", "v1.2.raw"),
        ("talk.bin", "talk.wav", "talk.flac", "talk.raw"),
    ],
)
def test_names_of_decoded_files(source: str, plain: str, flac: str, raw: str) -> None:
    assert DECODE.name(source) == plain
    assert Naming(".flac", decodes=True, chosen=True).name(source) == flac
    assert Naming(".raw", decodes=True, chosen=True).name(source) == raw


def test_kept_extensions_are_restored_by_decoding(here: Path) -> None:
    names = {"talk.wav", "talk.flac", "talk.aif"}
    write(*(f"in/{name}" for name in names))
    done = nacli("encode", "--keep-extension", "-r", "in", "--output-dir", "nac")
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in (here / "nac").iterdir()} == {f"{name}.nac" for name in names}
    assert nacli("decode", "-r", "nac", "--output-dir", "back").exit_code == 0
    assert {path.name for path in (here / "back").iterdir()} == names
    assert {soundfile.info(path).format for path in (here / "back").iterdir()} == {
        "WAV",
        "FLAC",
        "AIFF",
    }


# The output named without -o.


@pytest.mark.parametrize(
    ("command", "source", "output"),
    [
        ("encode", "a.wav", "out.nac"),
        ("encode", "my talk.wav", "OUT.NAC"),
        ("decode", "a.nac", "out.wav"),
        ("decode", "a.nac", "out.mp3"),
        ("decode", "a.nac", "new/out.flac"),
        ("encode", "a.wav", "new/"),
    ],
)
def test_an_output_without_o_is_a_usage_error_with_a_remedy(
    here: Path, command: str, source: str, output: str
) -> None:
    touch(source)
    done = nacli(command, source, output)
    assert done.exit_code == 2
    quoted = f"'{source}'" if " " in source else source
    remedy = f"{output} does not exist; -o names the output: nacli {command} {quoted} -o {output}"
    assert remedy in done.stderr
    assert [path.name for path in here.iterdir()] == [source]


def test_other_inputs_that_do_not_exist_stop_nothing(here: Path) -> None:
    write("a.wav", "b.wav")
    for inputs in (["a.wav", "gone.wav"], ["a.wav", "b.wav", "gone.nac"]):
        done = nacli("encode", "-f", *inputs)
        assert (done.exit_code, "a.wav -> a.nac" in done.stderr) == (3, True)
    os.mkdir("out")
    assert nacli("encode", "a.wav", "gone.nac", "-o", "out").exit_code == 3


# As real processes.


def test_a_mixed_batch_by_several_processes(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "b.wav"):
        soundfile.write(tmp_path / name, [0.1] * RATE, RATE)
    (tmp_path / "folder").mkdir()
    command = [*FAKE, "encode", "a.wav", "folder", "a.flac", "b.wav", "-o", "out/", "-j", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 3
    assert b"2 done, 0 skipped, 2 failed" in done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.nac", "b.nac"}
