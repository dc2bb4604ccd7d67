"""The parts of a stream, in order: packets with their codes, and gaps."""

from __future__ import annotations

from dataclasses import dataclass

from nacli.entropy import PacketCodes


@dataclass(frozen=True)
class Coded:
    """A packet.

    Args:
        codes: its codes.
        size: its bytes in the file.
        samples: the samples that it completes, at the original rate.
    """

    codes: PacketCodes
    size: int
    samples: int


@dataclass(frozen=True)
class Lost:
    """Damage: `frames` missing frames from `frame` on; none where the damage cost no frames.

    Args:
        reason: what is wrong with the file there.
        at_end: whether the file ends there, too soon; `frames` is then 0 where the full length is
            unknown.
        unread: bytes that are left alone, since they belong to another file.
    """

    frame: int
    frames: int
    reason: str
    at_end: bool = False
    unread: int = 0

    @property
    def concealed(self) -> int:
        """The number of frames that are concealed: none at the end, where nothing follows."""
        return 0 if self.at_end else self.frames


Part = Coded | Lost
