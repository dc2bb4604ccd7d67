"""Places in a recording, as people name them: times, or samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from nacli.arguments import number

_TIME = re.compile(r"(?:(?:(\d{1,6}):)?(\d{1,8}):)?(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})")
_SAMPLES = re.compile(r"(\d{1,19})smp")


@dataclass(frozen=True)
class Position:
    """A number of seconds, or of samples at the rate of the recording."""

    value: Fraction
    in_samples: bool = False

    def sample(self, sample_rate: int) -> int:
        """The sample nearest to it."""
        return round(self.value if self.in_samples else self.value * sample_rate)


START = Position(Fraction(0))


def parse_position(text: str | float) -> Position:
    """Read `83.5` or `1:23.5` or `1:02:03` (time), or `48000smp` (samples); a number is seconds.

    Raises `ValueError` for anything else, `TypeError` for other types.
    """
    if not isinstance(text, str):
        text = number("a position", text)
        if not 0 <= text < 1e12:
            raise ValueError(f"{text} is no position in a recording")
        return Position(Fraction(text))
    if found := _SAMPLES.fullmatch(text):
        return Position(Fraction(found[1]), in_samples=True)
    if found := _TIME.fullmatch(text):
        hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
        return Position(3600 * hours + 60 * minutes + seconds)
    raise ValueError(f"{text!r} is no position (83.5, 1:23.5, 1:02:03 or 48000smp)")
