"""What the tags of an audio file hold, before it is decided what of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nacli.format import FRONT_COVER, Picture, pack_picture

MAX_TAGS = 1 << 16
"""Tags that are taken from a file; one that has more is no work of people."""

SOFTWARE = {"ENCODER", "ENCODER_OPTIONS", "ENCODERSETTINGS", "SOFTWARE"}
"""What tells how the file that is read was made; it would be wrong in any other."""


@dataclass
class Found:
    """Tags as "NAME=value", all pictures, and the names of what cannot be kept."""

    tags: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def add(self, name: str, values: Sequence[str]) -> None:
        """Add values of one name; `ValueError` where there are too many tags."""
        if len(self.tags) + len(values) > MAX_TAGS:
            raise ValueError(f"more than {MAX_TAGS} tags")
        if name.upper() not in SOFTWARE:
            self.tags += [f"{name}={value}" for value in values]

    def picture(self) -> bytes | None:
        """The one picture that a .nac file has room for, packed: the front cover, else the first.
        The others become `dropped`."""
        ordered = sorted(self.pictures, key=lambda picture: picture.kind != FRONT_COVER)
        chosen = None
        for picture in ordered:
            if chosen is None:
                try:
                    chosen = pack_picture(picture)
                    continue
                except ValueError:
                    pass
            self.dropped.append(str(picture))
        return chosen


def legacy_text(data: bytes) -> str:
    """Text of a format that does not name its encoding: UTF-8 where it is that, else Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
