"""Live pipes: what they wait for, and how a signal ends them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile

from fake_model import make_model
from nacli.api import decode
from nacli.audio import AudioInfo
from nacli.audio.wav_stream import write_header
from nacli.decoder.stream import Decoder
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from recordings import sound
from terminal import PYTHONPATH

FAKE = [sys.executable, str(Path(__file__).parents[1] / "support" / "fake_model.py")]
MODEL = make_model()
RATE = 24_000


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """nacli with pipes at both ends."""
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*FAKE, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )


def wait_for_bytes(stream: IO[bytes]) -> bytes:
    assert select.select([stream], [], [], 60)[0], "nothing came in a minute"
    return os.read(stream.fileno(), 1 << 16)


def wav_header() -> bytes:
    return write_header(AudioInfo(RATE, 1, "FLOAT", None))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_recording_and_keeps_it(tmp_path: Path, number: int, code: int) -> None:
    target = tmp_path / "live.nac"
    pcm = sound(RATE + 17)
    process = start("encode", "-", "--packet-ms", "40", "-o", str(target))
    assert process.stdin and process.stderr
    process.stdin.write(wav_header() + pcm.tobytes())
    process.stdin.flush()
    wait_for_temporary_file(tmp_path)
    process.send_signal(number)
    assert process.wait(60) == code
    process.stdin.close()
    assert len(decode(target.read_bytes(), model=MODEL)[0]) == len(pcm)
    assert [path.name for path in tmp_path.iterdir()] == ["live.nac"]


def wait_for_temporary_file(folder: Path, size: int = 200) -> None:
    """Until the output has more in it than a header, or than `size` bytes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(path.stat().st_size > size for path in folder.iterdir()):
            return
        time.sleep(0.02)
    raise AssertionError("nothing was written in a minute")


def test_a_signal_ends_a_live_decoding_and_keeps_the_sound(tmp_path: Path) -> None:
    target = tmp_path / "live.wav"
    encoder = Encoder(MODEL, RATE, 1, EncoderSettings(packet_frames=3))
    process = start("decode", "-", "-o", str(target))
    assert process.stdin
    process.stdin.write(encoder.encode(sound(RATE)))
    process.stdin.flush()
    wait_for_temporary_file(
        tmp_path, size=40_000
    )  # what came before the signal and is not read is lost
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    pcm, rate = soundfile.read(target)
    assert rate == RATE and 0.9 * RATE < len(pcm) <= RATE


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    target = tmp_path / "live.nac"
    process = start("encode", "-", "-o", str(target))
    assert process.stdin
    process.stdin.write(wav_header() + sound(3 * RATE).tobytes())
    process.stdin.flush()
    wait_for_temporary_file(tmp_path)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) in (143, -signal.SIGTERM)


def test_the_latency_is_a_packet_and_six_hops() -> None:
    """At 24 kHz, where nothing is resampled, from a sample that goes in to when it comes out."""
    frames, step = 3, 40
    encoder, decoder = (
        Encoder(MODEL, RATE, 1, EncoderSettings(packet_frames=frames)),
        Decoder(MODEL),
    )
    pcm, heard, worst = sound(RATE), 0, 0
    for at in range(0, len(pcm), step):
        heard += len(decoder.decode(encoder.encode(pcm[at : at + step])))
        worst = max(worst, at + step - heard)
    assert worst <= (frames + 6) * 320


def test_a_pipe_gives_every_packet_at_once() -> None:
    """Encoder and decoder, joined by a pipe, while the input goes on."""
    encode = start("encode", "-", "--packet-ms", "40")
    assert encode.stdin and encode.stdout
    decode = subprocess.Popen(
        [*FAKE, "decode", "-"],
        stdin=encode.stdout,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
    )
    encode.stdout.close()
    assert decode.stdout
    encode.stdin.write(wav_header() + sound(RATE // 2).tobytes())
    encode.stdin.flush()
    heard = b""
    while len(heard) < 0.8 * RATE / 2 * 4:
        heard += wait_for_bytes(decode.stdout)
    encode.stdin.close()
    heard += decode.stdout.read()
    assert encode.wait(60) == decode.wait(60) == 0
    pcm = np.frombuffer(heard[-RATE // 2 * 4 :], "<f4")
    assert np.corrcoef(pcm, sound(RATE // 2)[:, 0])[0, 1] > 0.5
