"""Types of option values whose errors are clearer than those of click's own types."""

from __future__ import annotations

import math
import re
from typing import Any

import click

from nacli.config import ModelConfig

_BITRATE = re.compile(r"(.+?)\s*(?:k|kbps|kbit/s|kb/s)", re.IGNORECASE)
BITS_PER_SECOND = 1000
"""Values from this one on are taken for bits per second, a likely mistake."""


class FiniteRange(click.FloatRange):
    """A number within limits. NaN is refused, which passes click's comparisons."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


def parse_bitrate(text: str) -> float:
    """Return kbps from 6, 6k or 6kbps. Raises `ValueError` for other text and bits per second."""
    unit = _BITRATE.fullmatch(text.strip())
    try:
        kbps = float(unit[1] if unit else text)
    except ValueError:
        kbps = math.nan
    if not math.isfinite(kbps):
        raise ValueError(f"{text!r} is not a number of kbps (such as 6 or 6k)")
    if kbps >= BITS_PER_SECOND:
        raise ValueError(
            f"{text} is too much: the unit is kbps ({kbps / 1000:g} is {kbps:g} bit/s)"
        )
    return kbps


def take_bitrate(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Return the value of --bitrate; raise a usage error where `parse_bitrate` fails."""
    try:
        return None if text is None else parse_bitrate(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


class PacketLength(click.IntRange):
    """A packet length in milliseconds, which is rounded down to whole frames."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            frame = 1000 / ModelConfig().frame_rate
            self.fail(
                f"{value} is not a whole number from {self.min} to {self.max}; a packet is rounded "
                f"down to frames of {frame:.1f} ms ({self.min} ms: one, 27 ms: two, 40 ms: three)",
                param,
                ctx,
            )
