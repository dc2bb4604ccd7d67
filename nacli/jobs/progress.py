"""The state of a conversion while it runs, and its result at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Progress:
    """The number of samples that were converted so far, and the other results of the conversion.

    `total` is the length of the audio in samples, None while it is unknown; `nac_bytes` is the size
    of the .nac file so far. `dropped` names tags and pictures that the output has no place for;
    `notes` are sentences about the result that the user may not expect.
    """

    sample_rate: int
    total: int | None
    samples: int = 0
    nac_bytes: int = 0
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gaps: int = 0
    """Number of gaps: damage that was concealed, or a file that ends too soon."""
    kbps: float = 0.0
    """Bitrate of the audio: packets and end record, without header, tags and picture. It is set at
    the end, and stays 0 where there is no audio."""
    warnings: tuple[str, ...] = ()
    """Sentences about why the output may lack some sound of the input."""
    damaged: bool = False
    """Whether the audio that was encoded is damaged: it ends at the damage or lacks a part."""

    @property
    def seconds(self) -> float:
        """Seconds of audio that were converted so far."""
        return self.samples / self.sample_rate

    @property
    def total_seconds(self) -> float | None:
        """Length of the audio in seconds, None while it is unknown."""
        return None if self.total is None else self.total / self.sample_rate


OnProgress = Callable[[Progress], None]
"""A function that is called after every block."""
