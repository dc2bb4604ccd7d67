"""Positions in a recording as users write them: times, or samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from nacli.arguments import number

_TIME = re.compile(r"(?:(?:(\d{1,6}):)?(\d{1,8}):)?(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})")
_SAMPLES = re.compile(r"(\d{1,19})smp")


@dataclass(frozen=True)
class Position:
    """A position in seconds, or in samples at the rate of the recording."""

    value: Fraction
    in_samples: bool = False

    def sample(self, sample_rate: int) -> int:
        """Return the nearest sample of a recording at this rate."""
        return round(self.value if self.in_samples else self.value * sample_rate)


START = Position(Fraction(0))


def parse_position(text: str | float) -> Position:
    """Read a time such as `83.5`, `1:23.5` or `1:02:03`, or samples such as `48000smp`; a number is
    seconds.

    Raises:
        ValueError: it is not a position.
        TypeError: it is neither text nor a number.
    """
    if not isinstance(text, str):
        text = number("a position", text)
        if not 0 <= text < 1e12:
            raise ValueError(f"{text} is not a position in a recording")
        return Position(Fraction(text))
    if match := _SAMPLES.fullmatch(text):
        return Position(Fraction(match[1]), in_samples=True)
    if match := _TIME.fullmatch(text):
        hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
        return Position(3600 * hours + 60 * minutes + seconds)
    raise ValueError(f"{text!r} is not a position (83.5, 1:23.5, 1:02:03 or 48000smp)")
