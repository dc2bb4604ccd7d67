"""Items made ahead: the same, in order, one ahead at most, and errors where they belong."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from nacli.ahead import ahead


def test_items_come_in_order_from_another_thread() -> None:
    makers = set()

    def items() -> Iterator[int]:
        for number in range(50):
            makers.add(threading.get_ident())
            yield number

    assert list(ahead(items())) == list(range(50))
    assert makers and threading.get_ident() not in makers


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    taken = []
    with pytest.raises(ValueError, match="broken"):
        for item in ahead(items()):
            taken.append(item)
    assert taken == [1, 2]


def test_one_item_ahead_and_no_more() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    source = items()
    ahead_of = ahead(source)
    assert next(ahead_of) == 0
    ahead_of.close()  # type: ignore[attr-defined]
    assert made == [0, 1]
    assert next(source) == 2, "the source is at rest, and was not closed"
