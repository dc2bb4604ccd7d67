"""Tags: "NAME=value" each, as in Vorbis comments. A name may come several times, in any case."""

from __future__ import annotations

from collections.abc import Iterable

from nacli.format.wire import pack_varint

MAX_TAGS_BYTES = 1 << 20
_COUNT_BYTES = 5
"""Most that the number of tags takes in the section."""


def check_tag(tag: str) -> tuple[str, str]:
    """Name and value of a tag; `ValueError` where the name is not ASCII from 0x20 to 0x7D without
    "=", or the value cannot be UTF-8."""
    name, equals, value = tag.partition("=")
    if not (name and equals and all(" " <= letter <= "}" for letter in name)):
        raise ValueError(f"{tag[:40]!r} is no NAME=value with a name of plain ASCII")
    value.encode()
    return name, value


def edit_tags(tags: Iterable[str], edits: Iterable[str]) -> tuple[str, ...]:
    """`edits`, and those of `tags` whose names they do not have; an edit without value only
    removes."""
    made = [(*check_tag(edit), edit) for edit in edits]
    replaced = {name.upper() for name, _, _ in made}
    kept = [tag for tag in tags if check_tag(tag)[0].upper() not in replaced]
    return (*(edit for _, value, edit in made if value), *kept)


def fit_tags(tags: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags that a TAGS section has room for, and the names of the others."""
    room, kept, dropped = MAX_TAGS_BYTES - _COUNT_BYTES, [], []
    for tag in tags:
        size = len(tag.encode())
        size += len(pack_varint(size))
        if size <= room:
            room -= size
            kept.append(tag)
        else:
            dropped.append(check_tag(tag)[0])
    return tuple(kept), tuple(dropped)
