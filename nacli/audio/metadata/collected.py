"""The tags and pictures of an audio file, before the choice of what a .nac file keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nacli.format import FRONT_COVER, Picture, check_tag, pack_picture

MAX_TAGS = 1 << 16
"""Largest number of tags that is read from a file. Only crafted files have more."""

SOFTWARE = {"ENCODER", "ENCODER_OPTIONS", "ENCODERSETTINGS", "SOFTWARE"}
"""Names of tags that describe how the input file was made. They would be wrong in the output."""

UNREADABLE = "tags that cannot be read"
"""Entry of `dropped` for damaged tags."""


@dataclass
class CollectedTags:
    """Tags as "NAME=value", all pictures, and the names of metadata that cannot be kept."""

    tags: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def add(self, name: str, values: Sequence[str]) -> None:
        """Add values of one name, but for names in `SOFTWARE`. Raises `ValueError` for too many
        tags."""
        if len(self.tags) + len(values) > MAX_TAGS:
            raise ValueError(f"more than {MAX_TAGS} tags")
        if name.upper() not in SOFTWARE:
            self.tags += [f"{name}={value}" for value in values]

    def join(self, other: CollectedTags) -> None:
        """Add the tags of `other` whose names are new, and all its pictures and dropped names."""
        names = {check_tag(tag)[0].upper() for tag in self.tags}
        self.tags += [tag for tag in other.tags if check_tag(tag)[0].upper() not in names]
        self.pictures += other.pictures
        self.dropped += other.dropped

    def picture(self) -> bytes | None:
        """Return the one picture that a .nac file can hold, packed: the front cover, else the
        first. The other pictures are added to `dropped`."""
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
    """Decode text of a format that does not name its encoding: as UTF-8 if it is valid UTF-8, else
    as Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
