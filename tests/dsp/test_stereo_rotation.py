"""The rotation of stereo: exact inversion, angles of simple sounds, and the gate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacli.config import ANGLE_STEPS
from nacli.dsp.stereo_rotation import EQUAL, LEFT, RIGHT, StereoRotation, nearest_turn
from nacli.encoder.residual_gate import HOLD_HOPS, ResidualGate
from nacli.encoder.stereo_angle import AngleChooser, covariance

HOP = 40
INVERTED = ANGLE_STEPS * 7 // 8
ANGLES = st.integers(0, ANGLE_STEPS - 1)


def noise(hops: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (hops * HOP, 2)).astype(np.float32)


@given(st.lists(ANGLES, min_size=1, max_size=12), st.integers(0, 12))
def test_what_is_rotated_is_restored(angles: list[int], cut: int) -> None:
    """In whatever parts, and within full scale."""
    pcm, turned = noise(len(angles)), np.array(angles)
    whole = StereoRotation(HOP).rotate(pcm, turned)
    assert np.abs(whole).max() <= 1 + 1e-6
    rotation, parts = StereoRotation(HOP), []
    for part in (slice(0, cut), slice(cut, None)):
        samples = slice(*(None if at is None else at * HOP for at in (part.start, part.stop)))
        parts.append(rotation.restore(whole[samples], turned[part]))
    np.testing.assert_allclose(np.concatenate(parts), pcm, atol=1e-6)


@pytest.mark.parametrize(
    ("angle", "left", "right"), [(LEFT, 1, 0), (EQUAL, 1, 1), (RIGHT, 0, 1), (INVERTED, 1, -1)]
)
def test_simple_sounds_are_the_principal_and_leave_no_residual(
    angle: int, left: int, right: int
) -> None:
    """Bit for bit, so that such a file has the codes of a mono file."""
    sound = noise(3)[:, :1]
    pcm = sound * np.array([left, right], dtype=np.float32)
    angles = np.full(3, angle)
    coded = StereoRotation(HOP).rotate(pcm, angles)
    np.testing.assert_array_equal(coded[:, :1], sound)
    assert not coded[:, 1].any()
    np.testing.assert_array_equal(StereoRotation(HOP).restore(coded, angles), pcm)
    assert AngleChooser(1e-9).choose(covariance(pcm)) == angle


def test_equal_weights_are_sum_and_difference() -> None:
    pcm = noise(2)
    coded = StereoRotation(HOP).rotate(pcm, np.full(2, EQUAL))
    np.testing.assert_array_equal(coded, np.stack([pcm.sum(1), pcm[:, 0] - pcm[:, 1]], 1) / 2)


@given(ANGLES, ANGLES)
def test_an_angle_goes_the_shorter_way_round(first: int, second: int) -> None:
    """From one hop to the next no direction moves by more than the shorter way."""
    turned = np.array([first, second])
    [left, right] = (
        StereoRotation(HOP).rotate(np.full((2 * HOP, 2), pair, dtype=np.float32), turned)[:, 0]
        for pair in ((1, 0), (0, 1))
    )
    directions = np.unwrap(np.arctan2(right, left))
    way = abs((second - first + ANGLE_STEPS // 2) % ANGLE_STEPS - ANGLE_STEPS // 2)
    step = 2 * np.pi / ANGLE_STEPS
    assert np.ptp(directions) <= way * step + 1e-5
    assert np.abs(np.diff(directions)).max() <= way * step / HOP + 1e-5


@given(st.integers(-1000, 1000))
def test_half_turns_do_not_count(change: int) -> None:
    turn = nearest_turn(change)
    assert -ANGLE_STEPS // 4 <= turn < ANGLE_STEPS // 4
    assert (turn - change) % (ANGLE_STEPS // 2) == 0


@given(st.lists(st.floats(-90, 90), min_size=1, max_size=6))
def test_panned_sound_leaves_a_residual_below_its_noise(degrees: list[float]) -> None:
    """In packet after packet; and the angle never moves by more than a quarter turn."""
    chooser, before = AngleChooser(1e-9), None
    sound = noise(10)[:, :1]
    for place in np.radians(degrees):
        pcm = (sound * [[np.cos(place), np.sin(place)]]).astype(np.float32)
        angle = chooser.choose(covariance(pcm))
        coded = StereoRotation(HOP).rotate(pcm, np.full(10, angle))
        principal, residual = np.square(coded).mean(0)
        assert residual < 2e-4 * principal
        gated = ResidualGate(HOP).process(coded)
        assert not gated[:, 1].any()
        if before is not None:
            assert nearest_turn(angle - before) % ANGLE_STEPS == (angle - before) % ANGLE_STEPS
        before = angle


def test_unrelated_channels_are_coded_apart() -> None:
    """So neither takes over the noise of the other."""
    pcm = noise(100) * np.array([1, 0.9], dtype=np.float32)
    assert AngleChooser(1e-9).choose(covariance(pcm)) == LEFT
    assert nearest_turn(AngleChooser(1e-9).choose(covariance(pcm[:, ::-1])) - RIGHT) == 0


def test_a_silent_packet_keeps_the_angle() -> None:
    chooser = AngleChooser(1e-9)
    assert chooser.choose(np.zeros((2, 2))) == EQUAL
    assert chooser.choose(np.diag([0.0, 1.0])) == RIGHT
    assert chooser.choose(np.zeros((2, 2))) == RIGHT


def test_the_gate_opens_for_what_can_be_heard() -> None:
    coded = noise(200, seed=1)
    coded[:, 1] *= 0.01
    coded[100 * HOP : 101 * HOP, 1] *= 20
    whole = ResidualGate(HOP).process(coded)
    sounding = whole[:, 1].reshape(-1, HOP).any(1)
    expected = np.abs(np.arange(200) - 100) <= HOLD_HOPS
    expected[100 + HOLD_HOPS + 1] = True  # the ramp down
    np.testing.assert_array_equal(sounding, expected)
    np.testing.assert_array_equal(whole[100 * HOP : 101 * HOP], coded[100 * HOP : 101 * HOP])
    np.testing.assert_array_equal(whole[:, 0], coded[:, 0])


def test_the_gate_holds_from_packet_to_packet() -> None:
    coded = noise(40, seed=1)
    coded[10 * HOP :, 1] *= 0.001
    gate = ResidualGate(HOP)
    parts = [gate.process(coded[at * HOP : (at + 8) * HOP]) for at in range(0, 40, 8)]
    sounding = np.concatenate(parts)[:, 1].reshape(-1, HOP).any(1)
    # the last audible hop is number 10, for its first difference; the ramp follows the hold
    np.testing.assert_array_equal(np.flatnonzero(sounding), np.arange(10 + HOLD_HOPS + 2))
