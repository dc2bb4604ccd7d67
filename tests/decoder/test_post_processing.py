"""Post-processing: silence is silent with short fades, a constant offset is removed, peaks are
clipped."""

from __future__ import annotations

import numpy as np

from fake_model import CONFIG
from nacli.decoder.post_processing import DecodedFrames, PostProcess
from nacli.envelope.corrections import CorrectionDecoder
from nacli.envelope.predictor import CorrectionPredictor

HOP = 320


def run(pcm: np.ndarray, gains: list[int], cuts: tuple[int, ...] = ()) -> np.ndarray:
    """The output for a stream with these gains, cut into blocks after these hops."""
    corrections = CorrectionDecoder(CONFIG, None, CorrectionPredictor.none(), 1)  # has no codebooks
    post, parts, start = PostProcess(CONFIG, None, corrections, 1), [], 0
    for stop in (*cuts, len(gains)):
        row = np.array([gains[start:stop]], dtype=np.int32)
        silent = DecodedFrames.silence(CONFIG, 1, stop - start)
        frames = silent._replace(pcm=pcm[:, start * HOP : stop * HOP], gains=row, counts=row)
        parts.append(post.process(frames))
        start = stop
    return np.concatenate([*parts, post.finish()], axis=1)[0, PostProcess.DELAY * HOP :]


def tone(hops: int) -> np.ndarray:
    return np.sin(np.arange(hops * HOP) * 0.3)[None].astype(np.float32)


def test_a_hop_with_one_silent_frame_is_silent_except_for_a_ramp() -> None:
    fade = PostProcess.FADE
    sound = run(tone(8), [0, 0, 50, 50, 50, 0, 0, 0])
    assert not sound[: 3 * HOP - fade].any()
    assert np.abs(sound[3 * HOP : 5 * HOP]).max() > 0.5
    assert not sound[5 * HOP + fade :].any()
    assert np.abs(np.diff(sound)).max() < 0.4


def test_blocks_of_any_size_give_the_same_output() -> None:
    gains = [0, 40, 41, 0, 0, 30, 30, 30]
    np.testing.assert_array_equal(run(tone(8), gains), run(tone(8), gains, cuts=(1, 4, 5)))


def test_a_constant_offset_is_removed_and_a_low_tone_stays() -> None:
    hops = 150
    low = 0.3 * np.sin(2 * np.pi * 50 / 24000 * np.arange(hops * HOP))[None]
    sound = run((low + 0.2).astype(np.float32), [50] * hops)[24000:]
    assert abs(sound.mean()) < 0.005
    assert 0.19 < sound.std() < 0.23


def test_peaks_are_clipped_to_full_scale() -> None:
    assert np.abs(run(3 * tone(4), [60] * 4)).max() <= 1
