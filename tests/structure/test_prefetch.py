"""Items made ahead: the same, in order, one ahead at most, and errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from nacli.prefetch import prefetch


def test_items_come_in_order_from_another_thread() -> None:
    makers = set()

    def items() -> Iterator[int]:
        for number in range(50):
            makers.add(threading.get_ident())
            yield number

    assert list(prefetch(items())) == list(range(50))
    assert makers and threading.get_ident() not in makers


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    taken = []
    with pytest.raises(ValueError, match="broken"):
        for item in prefetch(items()):
            taken.append(item)
    assert taken == [1, 2]


@pytest.mark.parametrize("count", [1, 3])
def test_so_many_items_ahead_and_no_more(count: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    source = items()
    ahead_of = prefetch(source, count)
    assert next(ahead_of) == 0
    time.sleep(0.1)
    ahead_of.close()  # type: ignore[attr-defined]
    assert made == list(range(count + 1))
    assert next(source) == count + 1, "the source is at rest, and was not closed"


def test_what_is_no_longer_wanted_is_not_made() -> None:
    def items() -> Iterator[int]:
        for number in range(10):
            time.sleep(0.05)
            made.append(number)
            yield number

    made: list[int] = []
    for item in prefetch(items(), 8):
        assert item == 0
        break
    assert len(made) <= 3
