"""Progress bars, messages, closed standard streams, and permissions of outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from commands import FAKE, RATE, files, tone, write_tone
from nacli.audio import header_seconds
from nacli.cli.bar import Line, fit, width
from nacli.cli.progress import ProgressTracker, clock, duration
from nacli.files.standard_streams import captured_libraries, library_notes
from nacli.jobs.options import DecodeOptions, EncodeOptions
from terminal import ENVIRONMENT, render, run_on_terminal

BATCH_LINE = re.compile(r"\d/3 files  \d:\d\d of 5:02 audio")


# Progress bars.


def test_the_bar_of_a_pipe_of_unknown_length(tmp_path: Path) -> None:
    """A pipe whose header promises nothing, to a file that promises nothing, and back."""
    pcm = (tone(30) * 32767).astype("<i2").tobytes()
    raw = ["--raw", "--rate", str(RATE), "-", "-o", "x.nac"]
    encoded = run_on_terminal([*FAKE, "encode", *raw], tmp_path, stdin=pcm)
    assert encoded.code == 0, encoded.screen
    assert any(re.match(r"standard input  0:\d\d", line) for line in encoded.drawn)
    assert not any(" of " in line for line in encoded.drawn)
    assert len(encoded.screen) == 1
    assert encoded.screen[0].startswith("standard input -> x.nac  30.00 s, ")
    decoded = run_on_terminal([*FAKE, "decode", "x.nac"], tmp_path)
    assert decoded.code == 0, decoded.screen
    assert any(re.match(r"x\.nac  0:\d\d", line) for line in decoded.drawn)
    assert len(decoded.screen) == 1
    assert soundfile.info(tmp_path / "x.wav").duration == 30


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_bar_of_a_batch_moves_within_a_long_file(tmp_path: Path, jobs: str) -> None:
    for name, seconds in (("a", 1), ("b", 300), ("c", 1)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(seconds * 8000), 8000, "PCM_16")
    arguments = ["encode", "a.wav", "b.wav", "c.wav", "-j", jobs]
    shown = run_on_terminal([*FAKE, *arguments], tmp_path, columns=90)
    assert shown.code == 0, shown.screen
    bars = [line for line in shown.drawn if "files" in line]
    within = {match[0] for line in bars if (match := BATCH_LINE.search(line))}
    assert len(within) > 3, "the bar stands still while the long file is encoded"
    assert any(re.search(r"\d+x  \d+:\d\d left$", line) for line in bars)
    assert max(map(len, shown.drawn)) < 90
    assert [line.split(" ")[0] for line in shown.screen[:-1]].count("b.wav") == 1
    assert len(shown.screen) == 4
    assert re.match(r"3 done, 0 skipped, 0 failed: 5:02 of audio, ", shown.screen[-1])


@pytest.mark.parametrize(
    ("columns", "term", "bars"), [(12, "xterm", True), (1, "xterm", False), (80, "dumb", False)]
)
def test_narrow_and_dumb_terminals(tmp_path: Path, columns: int, term: str, bars: bool) -> None:
    write_tone(tmp_path / "x.wav", 60)
    shown = run_on_terminal([*FAKE, "encode", "x.wav"], tmp_path, columns=columns, TERM=term)
    assert shown.code == 0
    assert "".join(shown.screen).replace(" ", "").startswith("x.wav->x.nac1:00,")
    assert any(re.match(r" *\d+% ", line) for line in shown.drawn) == bars


def test_an_interrupt_erases_the_bar(tmp_path: Path) -> None:
    write_tone(tmp_path / "x.wav", 1800)
    shown = run_on_terminal([*FAKE, "encode", "x.wav"], tmp_path, columns=30, interrupt_at=" of ")
    assert (shown.code, shown.screen) == (130, ["nacli: interrupted"])
    assert files(tmp_path) == {"x.wav"}


def test_a_closed_pipe_leaves_no_bar(tmp_path: Path) -> None:
    write_tone(tmp_path / "x.wav", 100)
    reader, writer = os.pipe()

    def read_a_little() -> None:
        os.read(reader, 100)
        os.close(reader)

    threading.Thread(target=read_a_little).start()
    command = [*FAKE, "encode", "x.wav", "-o", "-"]
    shown = run_on_terminal(command, tmp_path, stdout=writer)
    os.close(writer)
    assert (shown.code, shown.screen) == (141, [])


def test_bars_fit_the_width_of_the_terminal() -> None:
    line = Line("1:02 of 2:04  2.0x  0:31 left", 0.5, "a rather long name of a file.flac")
    assert fit(line, 120) == (
        "a rather long name of a file.flac   50% [############            ] "
        "1:02 of 2:04  2.0x  0:31 left"
    )
    assert fit(line, 60) == "a rather l...a file.flac   50% 1:02 of 2:04  2.0x  0:31 left"
    for room in range(100):
        assert width(fit(line, room)) <= room
        assert width(fit(Line("x", 0.1, "\u6f22\u5b57" * 20), room)) <= room


def test_durations_have_a_fitting_unit() -> None:
    assert [duration(s) for s in (3.21, 59.97, 754, 3599.7, 11200)] == [
        *("3.2 s", "1:00", "12:34", "1.0 h", "3.1 h")
    ]
    assert [clock(s) for s in (0, 7.4, 754, 3753)] == ["0:00", "0:07", "12:34", "1:02:33"]


def test_a_total_is_known_when_all_lengths_are() -> None:
    lengths = [10.0, None, 30.0]
    with ProgressTracker(3, lengths.__getitem__) as tracker:
        tracker.update(1, 5, None)
        tracker.line()
        tracker._thread.join()
        assert tracker.line().text.startswith("0/3 files  0:05 audio")
        tracker.finish(1, 20)
        assert tracker.line().text.startswith("1/3 files  0:20 of 1:00 audio")
        tracker.finish(0, 0)  # it has failed
        assert tracker.line().text.startswith("2/3 files  0:20 of 0:50 audio")
        assert tracker.line().share == 0.4


def test_lengths_by_headers(tmp_path: Path) -> None:
    write_tone(tmp_path / "x.wav", 3)
    assert header_seconds(str(tmp_path / "x.wav")) == 3
    assert EncodeOptions(raw_rate=RATE).audio_seconds(str(tmp_path / "x.wav")) == 3 + 22 / RATE
    assert header_seconds("-") is None
    os.mkfifo(tmp_path / "pipe")
    assert header_seconds(str(tmp_path / "pipe")) is None
    soundfile.write(tmp_path / "x.mp3", tone(3), RATE)
    assert header_seconds(str(tmp_path / "x.mp3")) == pytest.approx(3, abs=0.2)
    golden = str(next((Path(__file__).parents[1] / "golden").glob("stereo*.nac"), ""))
    whole = DecodeOptions().audio_seconds(golden)
    assert whole
    assert DecodeOptions(start="0.25", stop="9999").audio_seconds(golden) == pytest.approx(
        whole - 0.25
    )


# Streams.


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_streams_that_are_closed(tmp_path: Path, closed: str) -> None:
    write_tone(tmp_path / "x.wav", 1)
    command = f'exec "$@" {closed}'
    arguments = ["bash", "-c", command, "bash", *FAKE, "encode", "x.wav"]
    done = subprocess.run(arguments, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.nac").read_bytes()[:3]
    assert done.stdout == b""


@pytest.mark.parametrize("arguments", [["encode", "x.wav", "-o", "-"], ["--help"]])
def test_a_closed_stdout_is_an_error_where_it_is_needed(
    tmp_path: Path, arguments: list[str]
) -> None:
    write_tone(tmp_path / "x.wav", 1)
    command = ["bash", "-c", 'exec "$@" >&-', "bash", *FAKE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, timeout=60)
    assert done.returncode == 11
    assert done.stderr == b"nacli: standard output: Bad file descriptor\n"


def holed_mp3(path: Path) -> Path:
    """An MP3 in whose middle 300 bytes are wrong: libmpg123 talks of it on file descriptor 2."""
    soundfile.write(path, tone(3), RATE)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(1).bytes(300)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_libraries_print_nothing_on_the_terminal(tmp_path: Path, jobs: str) -> None:
    holed_mp3(tmp_path / "hole.mp3")
    write_tone(tmp_path / "x.wav", 1)
    command = [*FAKE, "encode", "hole.mp3", "x.wav", "-f", "-j", jobs]
    said = []
    for options in ([], ["--silent"]):
        done = subprocess.run(
            [*command, *options], cwd=tmp_path, env=ENVIRONMENT, capture_output=True
        )
        assert done.returncode == 14, done.stderr
        said.append(done.stderr.decode().splitlines())
    [warning] = said[1]
    assert warning.startswith("nacli: hole.mp3: ")
    assert len(said[0]) == 5 and warning in said[0]
    [note] = [line for line in said[0] if "the audio library says: " in line]
    assert note.startswith("hole.mp3 -> hole.nac: ")


def test_messages_of_libraries_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_libraries() as lines:
        os.write(2, b"Note: one\n\nNote: two\n")
        print("our own", file=sys.stderr)
        assert library_notes(lines()) == ["the audio library says: Note: one (and 1 more)"]
        assert library_notes(lines()) == []
        for _ in range(100):  # nobody waits for a reader
            try:
                os.write(2, bytes(1 << 12))
            except BlockingIOError:
                break
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "our own\nafterwards\n"


# Permissions.


@pytest.mark.parametrize(
    ("source", "umask", "before", "expected"),
    [
        (0o600, 0o022, None, 0o600),
        (0o640, 0o022, None, 0o640),
        (0o444, 0o022, None, 0o644),
        (0o666, 0o077, None, 0o600),
        (0o600, 0o022, 0o644, 0o600),
        (0o644, 0o022, 0o600, 0o600),
    ],
)
def test_outputs_are_no_more_readable_than_inputs(
    tmp_path: Path, source: int, umask: int, before: int | None, expected: int
) -> None:
    from nacli.files.outputs import atomic_output, private_mode

    write_tone(tmp_path / "x.wav", 0.1).chmod(source)
    if before is not None:
        (tmp_path / "x.nac").write_bytes(b"old")
        (tmp_path / "x.nac").chmod(before)
    old = os.umask(umask)
    try:
        mode = private_mode(str(tmp_path / "x.wav"))
        with atomic_output(str(tmp_path / "x.nac"), before is not None, mode) as output:
            [partial] = tmp_path.glob(".nacli-*.part")
            assert partial.stat().st_mode & 0o077 & ~source == 0, "readable while it is written"
            output.write(b"new")
    finally:
        os.umask(old)
    assert (tmp_path / "x.nac").stat().st_mode & 0o777 == expected


def test_outputs_of_private_files_are_private(tmp_path: Path) -> None:
    write_tone(tmp_path / "x.wav", 0.5).chmod(0o600)
    for arguments in (["encode", "x.wav"], ["decode", "x.nac", "-o", "y.wav"]):
        done = subprocess.run([*FAKE, *arguments], cwd=tmp_path, env=ENVIRONMENT, check=False)
        assert done.returncode == 0
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_the_simulated_terminal() -> None:
    assert render("long line\rshort\x1b[K\nnext\r\x1b[K", 80) == (
        ["short"],
        ["long line", "short", "next"],
    )
    assert render("abcdef", 4)[0] == ["abcd", "ef"]
