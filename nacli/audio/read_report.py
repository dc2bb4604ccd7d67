"""What the header of an input promised and what was read: whether all of its sound was read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ReadReport:
    """The promised length of an input, and what was read of it so far."""

    sample_rate: int = 0
    promised: int | None = None
    """Samples that the header promises; None if it does not say."""
    read: int = 0
    """Samples that were read."""
    faults: list[str] = field(default_factory=list)
    """Messages about sound that is, or may be, in the input and was not read."""
    damaged: bool = False
    """Whether a decoder met damage."""

    def warning(self) -> str | None:
        """Return, in one line, why the output may lack sound of the input; None if it lacks
        nothing. Only then may the input be deleted."""
        reasons = list(self.faults)
        if self.promised is not None and self.read != self.promised:
            promised, read = (count / self.sample_rate for count in (self.promised, self.read))
            actual = f"{read:.3f} s could be read" if self.damaged else f"it holds {read:.3f} s"
            reasons.append(f"the header promises {promised:.3f} s, {actual}")
        elif not self.read:
            reasons.append("there is no sound in it")
        if reasons and self.read:
            reasons.append("encoded what is there")
        return "; ".join(reasons) or None
