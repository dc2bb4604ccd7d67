"""How container formats lay out their chunks: RIFF, IFF (AIFF), CAF and Wave64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ChunkFormat:
    """The layout of chunks in one container format. A chunk is a name, a size, and a body."""

    first: int
    """Offset of the first chunk in the file."""
    order: Literal["little", "big"]
    """Byte order of integers."""
    name_bytes: int = 4
    size_bytes: int = 4
    align: int = 1
    """Chunks start at multiples of this."""
    head_in_size: int = 0
    """Bytes of the chunk's head (name and size) that its size includes."""
    data: bytes = b"data"
    """Name of the chunk that holds the samples."""
    lead: int = 0
    """Bytes between the head of the data chunk and the first sample."""

    @property
    def head_bytes(self) -> int:
        """Bytes of a chunk's name and size."""
        return self.name_bytes + self.size_bytes


RIFF = ChunkFormat(12, "little", align=2)
"""WAV, RF64 and BW64: "RIFF", size, "WAVE", then chunks."""
IFF = ChunkFormat(12, "big", align=2, data=b"SSND", lead=8)
"""AIFF and AIFF-C. Samples follow an offset and a block size of 4 bytes each."""
CAF = ChunkFormat(8, "big", size_bytes=8, lead=4)
"""Apple's Core Audio Format. Samples follow an edit count of 4 bytes."""
W64 = ChunkFormat(40, "little", name_bytes=16, size_bytes=8, align=8, head_in_size=24)
"""Sony's Wave64, which names chunks by GUIDs. Their first four bytes are the names of RIFF."""
