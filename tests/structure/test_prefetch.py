"""Prefetched items come in order, a limited number of them is made early, and errors are raised in
their place."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

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


def test_an_error_is_raised_after_the_items_before_it() -> None:
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
def test_a_limited_number_of_items_is_made_early(count: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    source = items()
    prefetched = prefetch(source, count)
    assert next(prefetched) == 0
    time.sleep(0.1)
    prefetched.close()
    assert made == list(range(count + 1))
    assert next(source) == count + 1, "the source was neither used any more nor closed"


def test_items_that_nobody_takes_are_not_made() -> None:
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


def test_prefetch_inside_its_own_thread_is_an_error_and_no_deadlock() -> None:
    """It would wait for the thread that waits for it. Afterwards, the thread still works."""

    def nested() -> Iterator[int]:
        yield from prefetch(iter([1, 2]))

    outcomes: list[str] = []

    def run() -> None:
        try:
            list(prefetch(nested()))
        except AssertionError as error:
            outcomes.append(str(error))

    caller = threading.Thread(target=run, daemon=True)
    caller.start()
    caller.join(timeout=10)
    assert outcomes == ["prefetch is used in the prefetch thread itself"]
    assert list(prefetch(iter([3]))) == [3]


def test_two_threads_work_in_a_chain() -> None:
    """The second takes its items from the first; closing and errors pass through both."""
    makers: list[set[int]] = [set(), set()]

    def first(last: int) -> Iterator[int]:
        for number in range(last):
            makers[0].add(threading.get_ident())
            yield number
        raise ValueError("broken")

    def second(last: int) -> Iterator[int]:
        with closing(prefetch(first(last), 3)) as numbers:
            for number in numbers:
                makers[1].add(threading.get_ident())
                yield number * number

    chain, taken = prefetch(second(5), 2, thread=1), []
    with pytest.raises(ValueError, match="broken"):
        for square in chain:
            taken.append(square)
    assert taken == [0, 1, 4, 9, 16]
    assert len(makers[0] | makers[1] | {threading.get_ident()}) == 3
    with closing(prefetch(second(10**9), 2, thread=1)) as endless:
        assert next(endless) == 0
    assert list(prefetch(iter([3]), thread=1)) == [3]


def test_a_thread_of_a_chain_cannot_wait_for_itself_or_a_later_one() -> None:
    def nested() -> Iterator[int]:
        yield from prefetch(iter([1]), thread=1)

    with pytest.raises(AssertionError, match="in the prefetch thread itself"):
        list(prefetch(nested()))


def test_a_process_ends_that_has_not_closed_a_chain() -> None:
    program = """
from nacli.prefetch import prefetch
def endless():
    number = 0
    while True:
        yield (number := number + 1)
def second():
    yield from prefetch(endless(), 4)
kept = prefetch(second(), 4, thread=1)
print(next(kept))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_an_interrupted_wait_still_waits_for_the_item_in_work() -> None:
    """Files are read in the thread: they must not be closed while it reads."""
    state = []

    def items() -> Iterator[int]:
        state.append("begun")
        time.sleep(0.5)
        state.append("ended")
        yield 1

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            next(prefetch(items()))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert state == ["begun", "ended"]
