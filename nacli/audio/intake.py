"""What an input promised and what it gave: whether all of its sound was read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Intake:
    """Samples that a header `promised` (None: it says nothing) and those `given` so far, at
    `sample_rate` in Hz. `faults` name sound that is or may be there and was not read; `damaged` is
    whether a decoder met damage."""

    sample_rate: int = 0
    promised: int | None = None
    given: int = 0
    faults: list[str] = field(default_factory=list)
    damaged: bool = False

    def warning(self) -> str | None:
        """Why the output may not be all that the input is, in one line; None where it is. Only
        then may the input be deleted."""
        reasons = list(self.faults)
        if self.promised is not None and self.given != self.promised:
            promised, given = (count / self.sample_rate for count in (self.promised, self.given))
            found = f"{given:.3f} s could be read" if self.damaged else f"it holds {given:.3f} s"
            reasons.append(f"the header promises {promised:.3f} s, {found}")
        elif not self.given:
            reasons.append("there is no sound in it")
        if reasons and self.given:
            reasons.append("encoded what is there")
        return "; ".join(reasons) or None
