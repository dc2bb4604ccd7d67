"""Tags: "NAME=value" each, as in Vorbis comments. Names ignore case and may repeat."""

from __future__ import annotations

from collections.abc import Iterable

from nacli.format.wire import pack_varint

MAX_TAGS_BYTES = 1 << 20
"""Largest TAGS section."""
_COUNT_BYTES = 5
"""Largest size of the number of tags in the section."""


def check_tag(tag: str) -> tuple[str, str]:
    """Return name and value of a tag. Raises `ValueError` if the name is empty or has characters
    other than ASCII from 0x20 to 0x7D without "=", or if the value cannot be UTF-8."""
    name, equals, value = tag.partition("=")
    if not (name and equals and all(" " <= letter <= "}" for letter in name)):
        raise ValueError(f"{tag[:40]!r} is no NAME=value with a name of plain ASCII")
    value.encode()
    return name, value


def edit_tags(tags: Iterable[str], edits: Iterable[str]) -> tuple[str, ...]:
    """Return `tags` in which `edits` replace all tags of their names. An edit without a value only
    removes."""
    parsed = [(*check_tag(edit), edit) for edit in edits]
    replaced = {name.upper() for name, _, _ in parsed}
    kept = [tag for tag in tags if check_tag(tag)[0].upper() not in replaced]
    return (*(edit for _, value, edit in parsed if value), *kept)


def fit_tags(tags: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags for which a TAGS section has room, and the names of the others."""
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
