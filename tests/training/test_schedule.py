"""Learning rates by progress and by parameter."""

from __future__ import annotations

from typing import Any

import pytest

from nacli.config import ModelConfig
from training.codec import Codec
from training.loop.schedule import RATE_SCALES, learning_rate, parameter_groups
from training_run import TINY


def test_the_learning_rate_warms_up_and_falls_with_progress() -> None:
    assert learning_rate(0, 0.0, 1.0) == 1 / 200
    assert learning_rate(199, 0.0, 1.0) == 1.0
    rates = [learning_rate(500, progress, 1.0) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("options", "part", "scale"),
    [
        ({"recurrent_layers": 1}, ".gru.", 1.0),
        ({"upsampling": "transposed"}, "up_samples.overlap", RATE_SCALES["up_"]),
        ({"upsampling": "interpolation"}, "up_samples.steps", 1.0),
        ({"pair_blocks": 1}, "decoder.pair.", RATE_SCALES["subframe."]),
        ({}, "up_samples", RATE_SCALES["up_"]),
    ],
)
def test_parts_of_the_exact_transform_have_smaller_learning_rates(
    options: dict[str, Any], part: str, scale: float
) -> None:
    codec = Codec(ModelConfig(**TINY | options))
    groups = parameter_groups(codec, encoder_rate=1.0)
    scales = {id(p): group["scale"] for group in groups for p in group["params"]}
    assert {scales[id(p)] for name, p in codec.named_parameters() if part in name} == {scale}
