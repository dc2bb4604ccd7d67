"""Checks of the Python API's arguments: an error says in one line what was given and what is
accepted."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from nacli.format import check_tag


def wrong_type(name: str, value: object, accepted: str) -> TypeError:
    """Return the error for an argument that has another type than `accepted` says."""
    return TypeError(f"{name} is a {type(value).__name__}, but nacli takes {accepted}")


def expect(name: str, value: object, kinds: type | tuple[type, ...], accepted: str) -> None:
    """Raise `TypeError` if an argument is not an instance of `kinds`; `accepted` names them."""
    if not isinstance(value, kinds):
        raise wrong_type(name, value, accepted)


def integer(name: str, value: Any) -> int:
    """Convert a whole number of any numeric type, such as 44100.0. Raises `TypeError`."""
    try:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return operator.index(value)
    except TypeError:
        raise wrong_type(name, value, "an integer") from None


def number(name: str, value: Any) -> float:
    """Convert a number of any numeric type. Raises `TypeError`."""
    if isinstance(value, str):  # float() would accept it
        raise wrong_type(name, value, "a number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise wrong_type(name, value, "a number") from None


def tag_list(tags: Any) -> tuple[str, ...]:
    """Convert tags to "NAME=value" each.

    Args:
        tags: an iterable of "NAME=value", or a mapping of names to values or lists of values.

    Raises:
        TypeError: the tags are of another type.
        ValueError: a tag is malformed.
    """
    accepted = 'tags as ["NAME=value", ...] or {"NAME": "value"}'
    if isinstance(tags, str | bytes) or not isinstance(tags, Iterable):
        raise wrong_type("tags", tags, accepted)
    if isinstance(tags, Mapping):
        rows = ((name, [v] if isinstance(v, str) else v) for name, v in tags.items())
        tags = [_joined(name, value) for name, values in rows for value in _values(values)]
    tags = tuple(tags)
    for tag in tags:
        expect("a tag", tag, str, accepted)
        check_tag(tag)
    return tags


def _values(values: object) -> Iterable[object]:
    if not isinstance(values, list | tuple):
        raise wrong_type("the value of a tag", values, "strings or lists of them")
    return values


def _joined(name: object, value: object) -> str:
    expect("the name of a tag", name, str, "strings")
    expect("the value of a tag", value, str, "strings or lists of them")
    return f"{name}={value}"


def check_model(model: object) -> None:
    """Raise `TypeError` if this is not a model."""
    if not hasattr(model, "networks"):
        raise wrong_type("model", model, "what load_model returns")
