"""The command line as a process: live pipes, signals, and readers that close their pipe."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile

from commands import ENVIRONMENT, FAKE, RATE, Run, files, tone, write_tone


def start(*arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*FAKE, *arguments],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )


def endless_wav(path: Path) -> bytes:
    """Ten seconds of a WAV whose header promises an hour."""
    soundfile.write(path, tone(10), RATE, subtype="PCM_16")
    data = path.read_bytes()
    path.unlink()
    return data[:40] + (2 * 3600 * RATE).to_bytes(4, "little") + data[44:]


def test_a_live_pipe_gives_output_before_its_input_ends(tmp_path: Path) -> None:
    encoder = start("encode", "-", "--packet-ms", "100", cwd=tmp_path)
    decoder = start("decode", "-", cwd=tmp_path)
    with encoder, decoder:
        assert encoder.stdin
        assert encoder.stdout
        assert decoder.stdin
        assert decoder.stdout
        encoder.stdin.write(endless_wav(tmp_path / "x.wav"))
        encoder.stdin.flush()
        decoder.stdin.write(encoder.stdout.read(1000))
        decoder.stdin.flush()
        heard = decoder.stdout.read(44 + 2 * RATE)
        assert len(heard) == 44 + 2 * RATE
        encoder.stdin.close()
        decoder.stdin.write(encoder.stdout.read())
        decoder.stdin.close()
        rest = decoder.stdout.read()
    assert (encoder.returncode, decoder.returncode) == (0, 0)
    assert len(heard + rest) == 44 + 2 * RATE * 10


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_nothing_behind(tmp_path: Path, number: int, code: int) -> None:
    write_tone(tmp_path / "x.wav", 900)
    process = start("encode", "x.wav", cwd=tmp_path)
    with process:
        deadline = time.monotonic() + 30
        while len(files(tmp_path)) == 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(files(tmp_path)) == 2, "the work has not begun"
        process.send_signal(number)
        _, said = process.communicate()
    assert (process.returncode, said) == (code, b"")
    assert files(tmp_path) == {"x.wav"}


@pytest.mark.parametrize("command", ["encode", "decode", "info"])
def test_a_closed_pipe_ends_without_a_message(tmp_path: Path, nacli: Run, command: str) -> None:
    write_tone(tmp_path / "x.wav", 20)
    nacli("encode", "x.wav")
    source = "x.wav" if command == "encode" else "x.nac"
    process = start(command, source, *(["-o", "-"] if command != "info" else []), cwd=tmp_path)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.stdin.close()
    assert process.wait() == 141


def test_a_closed_pipe_ends_a_live_encoder_that_waits_for_samples(tmp_path: Path) -> None:
    process = start("encode", "-", cwd=tmp_path)
    assert process.stdin
    assert process.stdout
    process.stdout.close()
    with suppress(BrokenPipeError):  # it may end before it has read all of this
        process.stdin.write(endless_wav(tmp_path / "x.wav"))
        process.stdin.flush()
    try:
        assert process.wait(timeout=30) == 141
    finally:
        process.kill()
        with suppress(BrokenPipeError):
            process.stdin.close()


LATE_SIGNAL = """
import os, signal, threading
from nacli.prefetch import prefetch
from nacli.cli import main

list(prefetch(iter([1])))  # leaves a thread
threading._register_atexit(lambda: os.kill(os.getpid(), signal.{name}))
main(["info", "{path}"])
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_while_python_exits_ends_it(name: str) -> None:
    code = LATE_SIGNAL.format(name=name, path=Path(__file__).parents[1] / "golden" / "empty.nac")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == -getattr(signal, name), done.stderr
    assert b"duration" in done.stdout
