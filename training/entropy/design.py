"""Designs of the entropy model: its context, its coding order and its sizes."""

from __future__ import annotations

from dataclasses import dataclass

from nacli.entropy.context import CodingOrder


@dataclass(frozen=True)
class Design:
    """Context and sizes of the entropy model.

    `ranks` is the coding order of the frames of a period, `offsets` are the neighbouring frames
    whose codes are inputs; `hidden` and `width` are the widths of the first and the last layers.
    """

    offsets: tuple[int, ...] = (-1, -2, -3, 1, 2)
    ranks: tuple[int, ...] = tuple(range(8))
    hidden: int = 192
    width: int = 48

    @property
    def order(self) -> CodingOrder:
        """The coding order of frames."""
        return CodingOrder(self.ranks, self.offsets)


DESIGNS = {
    "own": Design(offsets=(-1,), ranks=(0,)),
    "tree": Design(offsets=(-1, 1, -2, 2, -4), ranks=(0, 2, 1, 2)),
    "chains": Design(),
    "causal": Design(offsets=(-1, -2, -3), ranks=tuple(range(75))),
}
"""Coding orders to compare: each frame alone; every fourth frame first, then those between; eight
chains side by side, which ships; one frame after another."""
