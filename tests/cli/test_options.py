"""Values of options, their other names, and errors that say what to do instead."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

from in_process import RATE, nacli, names, write
from nacli.audio import AudioReader
from nacli.cli.option_types import parse_bitrate
from nacli.encoder.rate_control import check_bitrate
from nacli.encoder.settings import EncoderSettings
from nacli.errors import UnreadableInput, UnsupportedAudio
from nacli.jobs.options import EncodeOptions

# Numbers.


@pytest.mark.parametrize("text", ["6", "6.0", "6k", "6K", "6kbps", "6 kbps", "6kbit/s", "06"])
def test_a_bitrate_may_have_a_unit(options: list[Any], text: str) -> None:
    assert parse_bitrate(text) == 6
    assert nacli("encode", "a.wav", "--bitrate", text).exit_code == 0
    assert options == [EncodeOptions(settings=EncoderSettings(bitrate=6.0))]


@pytest.mark.parametrize("text", ["", "k", "nan", "inf", "-inf", "nank", "6M", "6kk", "much"])
def test_invalid_bitrates_are_usage_errors(here: Path, text: str) -> None:
    for command in (["encode", "a.wav"], ["bench", "."]):
        done = nacli(*command, "--bitrate", text)
        assert done.exit_code == 2
        assert "is not a number of kbps (such as 6 or 6k)" in done.stderr


@pytest.mark.parametrize(("text", "kbps"), [("6000", "6"), ("24000", "24"), ("1500k", "1.5")])
def test_a_bitrate_in_bits_per_second_is_a_usage_error(here: Path, text: str, kbps: str) -> None:
    done = nacli("encode", "a.wav", "--bitrate", text)
    assert done.exit_code == 2
    assert f"{text} is too much: the unit is kbps ({kbps} is {text.rstrip('k')}" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "a.wav", "--quality", "nan"],
        ["bench", ".", "--seconds", "nan"],
    ],
)
def test_nan_is_a_usage_error(here: Path, arguments: list[str]) -> None:
    write("a.wav")
    done = nacli(*arguments)
    assert (done.exit_code, "nan is not a number" in done.stderr) == (2, True)
    assert names(here) == {"a.wav"}


@pytest.mark.parametrize("text", ["19", "10001", "0", "-5", "13.3", "nan", "short"])
def test_invalid_packet_lengths_are_usage_errors(here: Path, text: str) -> None:
    done = nacli("encode", "a.wav", "--packet-ms", text)
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert f"{text} is not a whole number from 20 to 10000; a packet is rounded down to" in said
    assert "frames of 13.3 ms (20 ms: one, 27 ms: two, 40 ms: three)" in said


@pytest.mark.parametrize("bitrate", [1.5, 2.0, 6.0, 8.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_error_names_the_shortest_packets_for_a_bitrate(bitrate: float, channels: int) -> None:
    with pytest.raises(UnsupportedAudio) as raised:
        check_bitrate(bitrate, channels, 1, 75)
    text = str(raised.value)
    assert f"{channels} channel{'s' if channels > 1 else ''} in packets of 13.3 ms" in text
    assert text.endswith("ms or more (in steps of 13.3 ms)")
    least = float(text.split("at least ")[1].split(" kbps")[0])
    check_bitrate(least, channels, 1, 75)
    shortest = math.floor(int(text.split("packets are of ")[1].split(" ms")[0]) * 75 / 1000)
    check_bitrate(bitrate, channels, shortest, 75)
    with pytest.raises(UnsupportedAudio):
        check_bitrate(bitrate, channels, shortest - 1, 75)


@pytest.mark.parametrize("arguments", [["--rate", "0"], ["--rate", "8000", "--channels", "0"]])
def test_raw_audio_has_a_rate_and_channels(here: Path, arguments: list[str]) -> None:
    assert nacli("encode", "-", "--raw", *arguments, stdin=bytes(100)).exit_code == 2


@pytest.mark.parametrize(
    ("start", "stop"),
    [("2", "1"), ("1:00", "59.9"), ("0", "0"), ("0", "0smp"), ("200smp", "200smp")],
)
def test_an_empty_part_is_an_error(here: Path, start: str, stop: str) -> None:
    write("a.wav")
    nacli("encode", "a.wav")
    done = nacli("decode", "a.nac", "-o", "x.wav", "--start", start, "--end", stop)
    words = f"--end {stop} is not after --start {start}"
    if start == "0" and stop == "0smp":  # what a sample is depends on the file
        assert done.exit_code == 16
    else:
        assert (done.exit_code, words in done.stderr) == (2, True)
    assert names(here) == {"a.wav", "a.nac"}


# Inputs that are nothing, or something else.


def test_empty_inputs_are_called_empty(here: Path) -> None:
    for name in ("talk.wav", "talk.mp3", "talk.xyz"):
        (here / name).touch()
        done = nacli("encode", name)
        assert (done.exit_code, done.stderr) == (3, f"nacli: {name}: the file is empty\n")
    piped = nacli("encode", "-")
    assert (piped.exit_code, piped.stdout) == (3, "")
    assert piped.stderr == "nacli: standard input: the input is empty\n"
    (here / "talk.nac").touch()
    for done in (nacli("decode", "talk.nac", "-o", "x.wav"), nacli("decode", "-")):
        assert (done.exit_code, "it is empty" in done.stderr) == (5, True)


def test_an_empty_named_pipe_is_called_empty(here: Path) -> None:
    os.mkfifo("pipe.wav")
    writer = subprocess.Popen([sys.executable, "-c", "open('pipe.wav', 'wb')"])
    with writer, pytest.raises(UnreadableInput, match=r"pipe\.wav: the input is empty"):
        AudioReader("pipe.wav")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.m4a", "x.m4a: not recognised as audio; where ffmpeg reads it: ffmpeg -i x.m4a -f wav "),
        ("X.WMA", "X.WMA: not recognised as audio; where ffmpeg reads it: ffmpeg -i X.WMA -f wav "),
        ("x.nac", "x.nac: not recognised as audio (nacli decode reads .nac files)"),
        ("x.txt", "x.txt: not recognised as audio (WAV, FLAC"),
    ],
)
def test_the_error_for_unrecognised_audio_names_a_remedy(here: Path, name: str, words: str) -> None:
    (here / name).write_bytes(b"\0\0\0\x1cftypM4A " + bytes(100))
    done = nacli("encode", name, "-o", "y.nac")
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1)
    assert words in done.stderr
    piped = nacli("encode", "-", stdin=(here / name).read_bytes())
    assert piped.exit_code == 3
    assert "ffmpeg -i FILE -f wav - | nacli encode -" in piped.stderr


# Other names of options.


def test_quiet_prints_nothing(here: Path) -> None:
    write("a.wav")
    for option in ("-q", "--quiet", "--silent"):
        done = nacli("encode", "-f", option, "a.wav")
        assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "deletes"),
    [
        ([], False),
        (["--delete-input"], True),
        (["--rm"], True),
        (["-k"], False),
        (["--rm", "-k"], False),
        (["--delete-input", "--keep"], False),
        (["--keep", "--rm"], True),
    ],
)
def test_inputs_are_kept_or_deleted_as_the_last_option_says(
    options: list[Any], arguments: list[str], deletes: bool
) -> None:
    assert nacli("encode", "a.wav", *arguments).exit_code == 0
    assert nacli("decode", "a.nac", *arguments).exit_code == 0
    assert [made.delete_input for made in options] == [deletes, deletes]


@pytest.mark.parametrize(
    ("arguments", "effort"),
    [
        ([], 1),
        (["--fast"], 0),
        (["--best"], 2),
        (["--effort", "2"], 2),
        (["--effort", "1", "--fast"], None),
        (["--effort", "2", "--best"], None),
        (["--fast", "--best"], None),
    ],
)
def test_efforts_by_name(options: list[Any], arguments: list[str], effort: int | None) -> None:
    done = nacli("encode", "a.wav", *arguments)
    if effort is None:
        assert (done.exit_code, "exclude each other" in done.output) == (2, True)
    else:
        assert options == [EncodeOptions(settings=EncoderSettings(effort=effort))]


def test_options_for_stdout(here: Path) -> None:
    write("a.wav")
    expected = nacli("encode", "a.wav", "-o", "-").stdout_bytes
    for option in ("-c", "--stdout"):
        assert nacli("encode", option, "a.wav").stdout_bytes == expected
        assert nacli("encode", option, "a.wav", "-o", "-").stdout_bytes == expected
        assert nacli("encode", option, "a.wav", "-o", "a.nac").exit_code == 2
    assert names(here) == {"a.wav"}
    nacli("encode", "a.wav")
    assert nacli("decode", "-qc", "a.nac").stdout_bytes[:4] == b"RIFF"
    assert nacli("encode", "-c", "a.wav", "a.wav").exit_code == 2


def test_test_is_quiet_and_has_the_exit_code_of_check(here: Path) -> None:
    write("a.wav")
    nacli("encode", "a.wav")
    whole = (here / "a.nac").read_bytes()
    (here / "cut.nac").write_bytes(whole[:-5])
    assert (nacli("test", "a.nac").exit_code, nacli("test", "a.nac").output) == (0, "")
    assert nacli("test", "-", stdin=whole).exit_code == 0
    for inputs in (["a.nac", "cut.nac", "a.wav"], ["a.wav", "cut.nac"], ["gone.nac"]):
        tested, checked = nacli("test", *inputs), nacli("info", "--check", *inputs)
        assert tested.exit_code == checked.exit_code != 0
        assert (tested.stdout, tested.stderr) == ("", checked.stderr)


def test_other_extensions_of_audio_formats_are_recognised(here: Path) -> None:
    (here / "in").mkdir()
    for name, container in (("a.wave", "WAV"), ("b.bwf", "WAV"), ("c.snd", "AU")):
        data = io.BytesIO()
        soundfile.write(data, [0.1] * RATE, RATE, format=container, subtype="PCM_16")
        (here / "in" / name).write_bytes(data.getvalue())
    done = nacli("encode", "-r", "in")
    assert done.exit_code == 0
    assert "3 done" in done.stderr
    assert "recognised" not in done.stderr
