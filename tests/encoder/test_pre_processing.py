"""Pre-processing: absurd samples are clipped, offsets removed, and silent frames found."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from commands import FAKE, run
from nacli.api import decode, encode
from nacli.dsp.dc_blocker import first_offset
from nacli.encoder.pre_processing import LIMIT, PreProcess, limited
from nacli.encoder.stream import Encoder
from nacli.types import Floats

HOP = 320
RATE = 24_000


def test_frames_are_silent_if_both_of_their_hops_are() -> None:
    pcm = np.zeros((2, 8 * HOP), dtype=np.float32)
    pcm[0, 2 * HOP : 4 * HOP] = 0.1
    random = np.random.default_rng(0)
    dither = np.rint(random.triangular(-1, 0, 1, pcm.shape[1]))
    pcm[1] = dither / 32768
    whole = PreProcess(2, HOP).process(pcm)[1]
    assert whole[0].tolist() == [True, True, False, False, False, True, True, True]
    assert whole[1].all()
    cut = PreProcess(2, HOP)
    parts = [cut.process(part)[1] for part in np.split(pcm, [3 * HOP, 4 * HOP], axis=1)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_an_offset_is_removed_and_speech_stays() -> None:
    sound = 0.1 * np.random.default_rng(0).normal(size=(1, 150 * HOP)).astype(np.float32)
    moved = PreProcess(1, HOP).process(sound + np.float32(0.5))[0]
    kept = PreProcess(1, HOP).process(sound)[0]
    np.testing.assert_allclose(moved[:, 4800:], kept[:, 4800:], atol=1e-6)
    assert abs(kept.std() - sound.std()) < 0.001


def sound(seconds: float = 1.0, seed: int = 0) -> Floats:
    """Noise as loud as speech, from the first sample on."""
    random = np.random.default_rng(seed)
    return (0.1 * random.normal(size=round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("offset", [0.3, -0.05])
@pytest.mark.parametrize("frames", [1, 4, 150])
def test_an_offset_at_the_start_makes_no_thump(offset: float, frames: int) -> None:
    """It is gone from the first packet on, for packets of any length."""
    pre, quiet = PreProcess(2, HOP), 0.001 * sound(2.0).reshape(2, -1)[:, : 75 * HOP]
    pcm: Floats = quiet + np.array([[offset], [0]], np.float32)
    cuts = range(frames * HOP, pcm.shape[1], frames * HOP)
    processed = [pre.process(part)[0] for part in np.split(pcm, cuts, axis=1)]
    assert np.abs(np.concatenate(processed, axis=1)).max() < 0.002
    assert pre.offset == pytest.approx(abs(offset), rel=0.01)


@pytest.mark.parametrize("hertz", [30, 50, 440, 0.0])
def test_sound_is_not_taken_for_an_offset(hertz: float) -> None:
    """Recordings without an offset are filtered as before."""
    time = np.arange(RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * hertz * time) if hertz else sound() + 0.009
    for pcm in (tone, np.concatenate([np.zeros(999), tone])):
        assert not first_offset(pcm[None].astype(np.float32)).any()


def test_samples_far_beyond_full_scale_are_clipped_and_counted() -> None:
    pcm = np.array([[0.5, -LIMIT, 4.1, -1e30, 3e38]], np.float32)
    clipped, beyond = limited(pcm)
    assert (clipped.tolist(), beyond) == ([[0.5, -4.0, 4.0, -4.0, 4.0]], 3)
    assert limited(pcm[:, :2])[0].base is pcm  # nothing copied, nothing changed


def test_an_absurd_sample_harms_only_the_samples_near_it(model: Any) -> None:
    """From 0.1 s after it, the sound is as loud as without it; libraries give no warning."""
    plain = 0.1 * sound(2.0)
    behind = slice(RATE // 2 + RATE // 10, RATE)
    level = np.std(decode(encode(plain, RATE, model=model), model=model)[0][behind])
    for value in (100.0, 1e30, -3e38, 1e300):
        pcm = plain.astype(np.float64)
        pcm[RATE // 2] = value
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            damaged = encode(pcm, RATE, model=model)
        texts = [str(warning.message) for warning in caught]
        assert texts == ["1 sample of 48000 lies beyond +-4 (full scale is +-1) and was clipped"]
        decoded = decode(damaged, model=model)[0]
        assert np.std(decoded[behind]) == pytest.approx(level, rel=0.4)
        assert np.std(decoded[: RATE // 2 - RATE // 10]) == pytest.approx(level, rel=0.4)


def test_the_encoder_warns_about_changed_samples(model: Any) -> None:
    encoder = Encoder(model, RATE, 1)
    assert not encoder.warnings
    encoder.encode(32767 * sound()[:, None])
    assert len(encoder.warnings) == 1
    assert "divided first, 16 bits by 32768" in encoder.warnings[0]
    with pytest.warns(UserWarning, match=r"a constant offset \(DC\) of 0.30 was removed"):
        encode(0.1 * sound() + np.float32(0.3), RATE, model=model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode(8 * sound(), RATE, model=model)  # loud, but plausible


def test_the_command_warns_in_one_line(tmp_path: Path) -> None:
    scaled, outlier, bad = 32767 * sound(0.5), 0.1 * sound(0.5), sound(0.5)
    outlier[100], bad[5:7] = 1e30, (np.nan, np.inf)
    for name, pcm in (("scaled", scaled), ("outlier", outlier), ("bad", bad)):
        soundfile.write(tmp_path / f"{name}.wav", pcm, RATE, "FLOAT")
    expected = {
        "scaled": "floats on the scale of integers have to be divided first",
        "outlier": "1 sample of 12000 lies beyond +-4",
        "bad": "2 samples were infinite or no number and became 0",
    }
    for name, words in expected.items():
        done = run(FAKE, "encode", f"{name}.wav", "--report", f"{name}.json", cwd=tmp_path)
        _, line = done.stderr.decode().splitlines()
        assert done.returncode == 0
        assert line.startswith(f"{name}.wav -> {name}.nac: ")
        assert words in line
        assert words in (tmp_path / f"{name}.json").read_text()
    done = run(FAKE, "encode", "--silent", "-f", "outlier.wav", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
